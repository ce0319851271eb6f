"""What can lie in an inbox and happen to it: what must follow, where it shows, and which tests prove it.

One row for each line of the matrix; tests are named by file below `tests/` and by function or class.
"""

from typing import NamedTuple


class Row(NamedTuple):
    what: str
    follows: str
    shows: str
    """Where a person sees it: a code of the sidecar, the status' words, or `nothing` where nothing is to be said."""
    tests: tuple[str, ...]


_LINKS = "hostile/test_inbox_links.py::"
_OBJECTS = "hostile/test_inbox_objects.py::"
_NAMES = "hostile/test_inbox_names.py::"
_CHANGES = "hostile/test_inbox_changes.py::"
_CLOCK = "hostile/test_inbox_clock.py::"
_INTAKE = "test_intake.py::"
_DISK = "test_folders_disk.py::"

STAYS = "stays where it is, never opened"
ONCE = "delivered once, with the bytes that were hashed"

ROWS = (
    # -- links ------------------------------------------------------------------------------------------------
    Row(
        "symbolic link to a file, a folder, a device, outside, nowhere, itself",
        STAYS,
        "ignored: a symbolic link",
        (_LINKS + "test_links_in_an_inbox_are_told_and_left", _INTAKE + "TestOdd", _DISK + "TestListing"),
    ),
    Row(
        "symbolic link in the place of a language, provider or sub-folder",
        STAYS,
        "ignored: a symbolic link",
        (_LINKS + "test_links_in_an_inbox_are_told_and_left", "test_disk.py::test_no_link_on_the_way"),
    ),
    Row(
        "folder exchanged for a link between scan and claim",
        "what lies behind the link is neither opened nor moved; the drop goes on when it is back",
        "ignored: a symbolic link",
        (
            _LINKS + "test_a_folder_exchanged_for_a_link_between_scan_and_claim",
            _LINKS + "test_no_other_word_for_the_walk",
            _LINKS + "test_a_race_against_the_one_who_plants_links",
        ),
    ),
    Row(
        "drop exchanged for a link, a FIFO, a folder or a hard link before its claim",
        "never read; it fails, or stays",
        "drop.unreadable, or ignored",
        (
            _LINKS + "test_exchanged_after_the_last_look",
            _INTAKE + "TestClaim::test_another_thing_put_in_its_place_is_not_taken",
        ),
    ),
    Row(
        "folder in processing/ exchanged for a link between claim and upload",
        "what lies behind the link is not sent",
        "drop.unreadable, or waiting",
        (_LINKS + "test_processing_exchanged_for_a_link_between_claim_and_upload",),
    ),
    Row(
        "link planted in processing/",
        "nothing is claimed through it",
        "ignored: cannot be moved",
        (_LINKS + "test_a_link_in_processing_takes_no_claim",),
    ),
    Row(
        "link planted in outbox/, archive/ or failed/, as a folder or as a file",
        "never written through; what is paid waits in the spool and arrives when the link is gone",
        "waiting: folder.trouble",
        (
            _LINKS + "test_a_link_where_results_and_originals_go_is_never_written_through",
            _LINKS + "test_an_outbox_exchanged_for_a_link_between_staging_and_publishing",
            _LINKS + "test_a_link_in_the_place_of_a_file_keeps_its_name",
            _LINKS + "test_links_below_the_archive_are_not_pruned_through",
            _LINKS + "test_a_race_against_the_one_who_plants_links",
        ),
    ),
    Row(
        "sidecar that is a link",
        "neither read nor removed",
        "ignored: a symbolic link",
        (_LINKS + "test_a_sidecar_that_is_a_link_is_nobodys",),
    ),
    Row(
        "hard link to somebody's file, before and after the claim",
        "never sent",
        "ignored: several names; drop.unreadable",
        (_LINKS + "test_a_second_name_for_a_drop_is_refused", "test_disk.py::test_only_files_with_one_name"),
    ),
    # -- objects ----------------------------------------------------------------------------------------------
    Row("FIFO, socket, device", STAYS, "ignored: no regular file", (_OBJECTS + "test_no_regular_file_is_opened",)),
    Row(
        "folder named like a document",
        "a folder like any other",
        "nothing",
        (_OBJECTS + "test_no_regular_file_is_opened", _INTAKE + "TestOdd::test_everything_at_once"),
    ),
    Row(
        "empty file",
        "waits a minute for its content, then fails",
        "resting: empty; drop.empty",
        (_INTAKE + "TestOdd::test_an_empty_file_has_a_minute", _INTAKE + "TestOdd::test_an_empty_file_that_is_filled"),
    ),
    Row("one byte", ONCE, "nothing", (_OBJECTS + "test_one_byte_is_a_document",)),
    Row(
        "larger than the service takes",
        "fails unread, nothing is sent",
        "drop.too_large",
        (
            _OBJECTS + "test_the_limit_is_the_last_size_that_is_taken",
            "e2e/test_bad_input.py::test_files_the_provider_does_not_take_fail_with_their_size",
        ),
    ),
    Row(
        "sparse file of a terabyte, where the service has a limit",
        "fails, and only its end is read",
        "drop.too_large",
        (_OBJECTS + "test_a_terabyte_of_nothing",),
    ),
    Row(
        "zip bomb: ratio, entries, one member many times, too much text",
        "fails before anything is unpacked or sent",
        "drop.damaged",
        (
            _OBJECTS + "test_archives_that_are_no_documents_fail_before_anything_is_sent",
            "segments/test_segments_archive.py::test_what_cannot_be_kept_or_trusted_is_refused",
        ),
    ),
    Row(
        "protected with a password, or other content than its name says",
        "fails where it is taken apart; else it is sent after a minute, with a warning",
        "drop.damaged; resting: no_end",
        (
            _OBJECTS + "test_archives_that_are_no_documents_fail_before_anything_is_sent",
            _OBJECTS + "test_a_document_that_is_none_rests_longer_and_is_said",
        ),
    ),
    # -- names ------------------------------------------------------------------------------------------------
    Row(
        "name of 255 bytes, also of characters of four, with and without room for a number or a sidecar",
        "comes back as itself, numbered where it is taken, never cut within a character",
        "nothing",
        (
            _NAMES + "test_every_odd_name_comes_back_as_itself",
            _NAMES + "test_every_odd_name_can_come_twice",
            _NAMES + "test_every_odd_name_can_fail_twice",
            "test_names.py::test_fit_keeps_what_matters",
        ),
    ),
    Row(
        "invalid UTF-8, newline, escape sequence, right-to-left mark, leading dash, %2e%2e, emoji, CON, a:b",
        "comes back as itself; shown escaped; the service sees a plain name",
        "nothing",
        (
            _NAMES + "test_every_odd_name_comes_back_as_itself",
            _NAMES + "test_every_odd_name_can_fail_twice",
            "test_names.py::test_shown_is_printable_utf8",
            "test_names.py::test_sent_name_is_always_plain",
        ),
    ),
    Row(
        "pair of names that differ in case or in the form of an accent alone",
        "two documents",
        "nothing",
        (_NAMES + "test_names_that_differ_in_case_or_form_alone", "test_folders.py::TestCaseBlind"),
    ),
    Row(
        "trailing dot or space, no extension",
        "fails at once",
        "drop.type",
        (_NAMES + "test_a_name_without_a_type_fails_at_once",),
    ),
    Row(
        "language folder with an odd name",
        "its files fail at once, in words that are safe to show",
        "language.unknown",
        (_NAMES + "test_odd_language_folders_fail_their_files_and_nothing_else",),
    ),
    Row(
        "path deeper than the kernel takes",
        STAYS,
        "ignored: File name too long",
        (_NAMES + "test_a_path_deeper_than_the_kernel_takes", _INTAKE + "TestOdd::test_a_path_can_be_too_long"),
    ),
    Row(
        "~$x.docx, .~lock.x#, ._x, .DS_Store, Thumbs.db, @eaDir, .part, .crdownload, .tmp, ~WRD0001.tmp",
        STAYS,
        "nothing",
        (_NAMES + "test_what_other_programs_leave_is_never_touched", "test_names.py::test_never_touched"),
    ),
    Row(
        "STOP, as a file, a folder, a link or a FIFO, in any folder of the inbox, also in the middle of a scan",
        "what lies below stays until it is taken away; it is never opened",
        "stopped; resting: folder.stopped",
        (
            "test_signs.py::TestStop",
            "test_signs.py::AnySigns",
            "e2e/test_signs.py::test_a_folder_stops_and_goes_on",
        ),
    ),
    Row(
        "name.cancel, as a file, a folder or a link, before and after the claim, and after the submission",
        "before the claim the drop stays; before the submission it comes back; later it changes nothing",
        "ignored: withdrawn, or comes too late; drop.withdrawn",
        (
            "test_signs.py::TestCancel",
            "test_signs.py::AnySigns",
            "e2e/test_signs.py::test_a_drop_is_withdrawn_and_taken_after_all",
            "e2e/test_signs.py::test_a_claimed_file_comes_back_before_it_is_sent",
        ),
    ),
    Row(
        "our own sidecars dropped back",
        "never translated; one beside its original goes with the new attempt",
        "nothing",
        (
            _CHANGES + "test_our_own_sidecars_are_never_documents",
            _CHANGES + "test_a_failed_file_dropped_back_with_everything_beside_it",
            _INTAKE + "TestOdd::test_somebody_elses_file_may_be_called_like_a_sidecar",
        ),
    ),
    # -- changes ----------------------------------------------------------------------------------------------
    Row(
        "same name twice, same or other bytes: before the claim, during the upload, in flight, after delivery",
        "before the claim one document, later two results; nothing is overwritten",
        "nothing",
        (
            _CHANGES + "test_the_same_name_twice",
            "e2e/test_drops.py::test_same_name_twice_gets_two_results",
        ),
    ),
    Row(
        "replaced, truncated, grown, renamed, moved or deleted while it is copied",
        "rests anew; what lies there in the end is sent, once",
        "resting",
        (
            _CHANGES + "test_changed_while_it_is_copied",
            _CHANGES + "test_deleted_while_it_is_copied",
            _CHANGES + "test_renamed_or_moved_while_it_is_copied",
            _CHANGES + "test_half_a_file_under_a_name_of_its_own",
            _INTAKE + "AnyHistory",
            "e2e/test_drops.py::test_every_way_of_dropping_is_delivered_once_with_the_right_bytes",
        ),
    ),
    Row(
        "written to between claim and upload, or while it is uploaded",
        "the upload is cut before its last block and the file taken anew",
        "waiting: drop.changing, drop.busy",
        (
            _CHANGES + "test_a_writer_who_still_has_it_open_after_the_claim",
            _CHANGES + "test_a_writer_on_another_machine_goes_on_after_the_claim",
            _CHANGES + "test_written_to_while_it_is_uploaded",
            _CHANGES + "test_written_to_between_claim_and_upload",
            _CHANGES + "test_emptied_between_claim_and_upload",
            "test_originals.py::test_the_hash_sees_what_the_stat_does_not",
        ),
    ),
    Row(
        "taken away between claim and upload",
        "nothing is sent",
        "drop.gone",
        (_CHANGES + "test_taken_away_between_claim_and_upload",),
    ),
    Row(
        "read error in the middle of an upload",
        "proven not accepted; sent again when it can be read",
        "waiting: drop.unreadable",
        (
            _CHANGES + "test_a_share_that_fails_in_the_middle_of_an_upload",
            "test_originals.py::test_a_share_that_goes_away_cuts",
        ),
    ),
    Row(
        "whole tree moved in, or on to another language",
        ONCE,
        "nothing",
        (
            _CHANGES + "test_a_whole_tree_moved_in_and_moved_on",
            _INTAKE + "TestRest::test_a_tree_that_is_moved_in",
        ),
    ),
    Row(
        "10,000 files at once",
        "claimed in one scan, each delivered once; a listing opens none",
        "resting",
        (
            _CHANGES + "test_ten_thousand_files_are_delivered_once_each",
            _CHANGES + "test_a_scan_opens_nothing_that_still_rests",
            _INTAKE + "TestClaim::test_ten_thousand_files",
        ),
    ),
    Row(
        "unknown provider or language folder",
        "the first stays, the files of the second fail with the nearest names",
        "ignored: no provider of this name; language.unknown",
        (
            _CHANGES + "test_who_is_not_configured_keeps_nobody_waiting",
            "e2e/test_bad_input.py::test_odd_things_in_an_inbox_get_what_they_should_and_disturb_nobody",
        ),
    ),
    Row(
        "folder deleted while work is in flight",
        "made anew; what is paid is delivered",
        "nothing",
        (
            _CHANGES + "test_a_folder_deleted_while_work_is_in_flight",
            _CHANGES + "test_processing_deleted_while_work_is_in_flight",
            _CHANGES + "test_failed_deleted_while_it_fails",
            _INTAKE + "TestRest::test_the_inbox_itself_is_taken_away",
        ),
    ),
    # -- rights -----------------------------------------------------------------------------------------------
    Row("mode 000", "fails", "drop.unreadable", (_OBJECTS + "test_a_file_of_mode_000_fails_with_the_reason",)),
    Row(
        "folder that may not be read or changed",
        "keeps its files until it may",
        "ignored: cannot be read, cannot be moved",
        (
            _OBJECTS + "test_folders_that_may_not_be_used_are_told_until_they_may",
            _INTAKE + "TestOdd::test_a_folder_that_cannot_be_read",
        ),
    ),
    Row(
        "other owner",
        "rests longer, then goes on",
        "resting",
        (_OBJECTS + "test_a_file_of_another_owner_rests_longer_and_goes_on",),
    ),
    Row(
        "sticky folder",
        "stays",
        "ignored: cannot be moved",
        (_OBJECTS + "test_a_sticky_folder_keeps_the_files_of_others",),
    ),
    Row(
        "access list that refuses the daemon",
        "fails; a folder keeps its files",
        "drop.unreadable; ignored: cannot be read",
        (_OBJECTS + "test_an_access_list_that_refuses_us",),
    ),
    # -- clock ------------------------------------------------------------------------------------------------
    Row(
        "file time in 1601, 1970, the future, or set back afterwards",
        "only its change counts",
        "nothing",
        (
            _CLOCK + "test_the_time_of_a_file_is_only_a_sign_of_change",
            _CLOCK + "test_a_time_that_is_set_anew_is_a_change",
            "test_stability.py::test_times_are_only_compared_for_equality",
        ),
    ),
    Row(
        "file times of one or two seconds",
        "size and two readings tell writes apart",
        "nothing",
        (_CLOCK + "test_a_coarse_clock_of_the_server_loses_no_change",),
    ),
    Row(
        "wall clock ten years ahead or back, while running or between two starts",
        "no drop is taken earlier or later, sent twice or failed",
        "only shown times differ",
        (
            _CLOCK + "test_the_wall_clock_jumps",
            _CLOCK + "test_an_empty_file_has_its_minute_whatever_the_wall_says",
            _CLOCK + "test_a_restart_with_another_time",
            _CLOCK + "test_ids_of_an_impossible_year",
        ),
    ),
    Row(
        "summer time both ways, another zone, a leap second",
        "everything is written in UTC",
        "nothing",
        (
            _CLOCK + "test_summer_time_zones_and_leap_seconds",
            _CLOCK + "test_the_machine_is_asked_for_utc",
        ),
    ),
)
