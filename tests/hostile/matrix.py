"""Which test proves what about a misbehaving service: one row a fault, for readers and for `docs`.

`sign` is what people see: a code (`error.code` of a sidecar, or the reason for which a file or an account waits),
or "none" where nothing is wrong with what is delivered. A proof is `path::test` below `tests/`, a `*` at its end
standing for the rest of a name, or `case <name>` for an entry of `cases.py`, which the whole daemon is put through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    fault: str
    sign: str
    proofs: Sequence[str]


_NETWORK = "hostile/test_provider_network.py::"
_CALLS = "test_transport.py::"
_SUBMITS = "test_transport_submit.py::"
_MORE = "test_transport_more.py::"
_RESULTS = "test_transport_results.py::"
_EVERY = "providers/conformance.py::"
_ENGINE = "test_engine.py::"
_HOUSE = "hostile/test_provider_daemon.py::"
_WORDS = "hostile/test_provider_words.py::"

CONNECTION = (
    Row(
        "connection refused",
        "service.unreachable",
        (
            f"{_SUBMITS}test_refused_connection_is_not_accepted",
            "e2e/test_outage.py::test_an_unreachable_service_costs_nothing_and_fails_nothing",
            f"{_RESULTS}test_refused_connection_is_no_cut",
        ),
    ),
    Row("unknown name", "service.unreachable", (f"{_SUBMITS}test_unknown_name_is_not_accepted",)),
    Row(
        "time-out at connect",
        "service.unreachable",
        (
            f"{_SUBMITS}test_service_without_tls_is_not_accepted",
            f"{_NETWORK}test_handshake_that_drips_is_left",
            f"{_NETWORK}test_further_addresses_are_tried_but_not_all_of_a_thousand",
        ),
    ),
    Row(
        "TLS expired, too early, of another host, signed by nobody",
        "service.unreachable",
        (
            f"{_NETWORK}test_only_a_good_certificate_is_talked_to",
            f"{_SUBMITS}test_untrusted_certificate_is_not_accepted",
            f"{_NETWORK}test_certificates_are_verified_with_the_systems_own",
        ),
    ),
    Row(
        "reset, hang-up, time-out while a document is sent",
        "service.unreachable",
        (
            "case submit reset in the body",
            "case submit stops reading",
            f"{_SUBMITS}test_break_in_*",
            f"{_SUBMITS}test_reader_that_stops_is_not_accepted",
            f"{_EVERY}test_connection_dropped_in_the_body_is_no_acceptance",
        ),
    ),
    Row(
        "a reader that takes a document by the drop",
        "service.unreachable",
        (
            f"{_NETWORK}test_reader_that_crawls_is_left_before_the_end",
            f"{_NETWORK}test_slow_end_of_a_request_is_not_held_back",
        ),
    ),
    Row(
        "reset, hang-up or silence after a document was sent",
        "submit.uncertain",
        (
            "case submit reset after the body",
            "case submit hang up after the body",
            "case submit accepts and never answers",
            "case submit takes and resets",
            f"{_SUBMITS}test_no_whole_answer_after_the_whole_body_is_uncertain",
        ),
    ),
    Row(
        "reset or silence instead of a status",
        "service.unreachable",
        ("case status reset", "case status never answers", "case status cut"),
    ),
    Row(
        "reset or silence instead of a result, or in its middle",
        "result.cut",
        ("case fetch reset", "case fetch never answers", "case fetch stalls in the body"),
    ),
    Row(
        "slow drip: head, body, chunk sizes, trailers, interim answers",
        "service.unreachable, result.cut or submit.uncertain",
        (
            f"{_NETWORK}test_answer_without_an_end_is_left",
            f"{_NETWORK}test_head_of_a_paid_answer_has_its_bound_too",
            f"{_CALLS}test_answer_that_drips_is_left",
            f"{_RESULTS}test_result_that_drips_is_left",
            f"{_RESULTS}test_result_that_crawls_after_a_good_start_is_left",
        ),
    ),
    Row(
        "slow, but within its time",
        "none",
        (
            f"{_NETWORK}test_paid_result_may_crawl_for_an_hour",
            f"{_RESULTS}test_long_steady_result_is_taken",
            f"{_CALLS}test_answer_in_many_pieces_is_put_together",
        ),
    ),
    Row("HTTP/2 is not spoken: no GOAWAY, no change of protocol", "service.unreachable", (
        f"{_NETWORK}test_answer_without_an_end_is_left",)),
)  # fmt: skip

CODES = (
    *(
        Row(f"{code} to a submission", "submit.uncertain", (f"case submit {code}",))
        for code in (400, 404, 409, 456, 500, 502, 503, 504, 529, 999)
    ),
    Row("400 with the documented body to a submission", "submit.rejected", ("case submit 400 documented",)),
    *(Row(f"{code} to a submission", "submit.rejected", (f"case submit {code}",)) for code in (413, 415, 422)),
    Row("401 to a submission", "account.key", ("case submit 401",)),
    *(Row(f"{code} to a submission", "account.blocked", (f"case submit {code}",)) for code in (402, 403)),
    *(
        Row(f"429 to a submission, Retry-After {what}", "account.throttled", (f"case submit 429 {what}",))
        for what in (
            "absent", "0", "seconds", "date", "date gone by", "negative", "10 years", "10 years as a date", "words"
        )
    ),
    Row("Retry-After in any form", "account.throttled", (
        f"{_CALLS}test_retry_after_is_read_in_every_form", f"{_CALLS}test_retry_after_is_a_number_or_nothing")),
    *(Row(f"{code} to a status", "service.error", (f"case status {code}",)) for code in (500, 502, 503, 504, 999)),
    *(Row(f"{code} to a status", "service.unreadable", (f"case status {code}",)) for code in (400, 409, 456)),
    *(Row(f"{code} to a status", "account.blocked", (f"case status {code}",)) for code in (402, 403)),
    *(Row(f"{code} to a status", "account.throttled", (f"case status {code}",)) for code in (429, 529)),
    *(Row(f"{code} to a fetch", "service.error", (f"case fetch {code}",)) for code in (500, 502, 503, 504, 999)),
    *(Row(f"{code} to a fetch", "service.unreadable", (f"case fetch {code}",)) for code in (400, 409, 456)),
    Row("404 to a fetch", "result.gone", ("case fetch 404",)),
    Row("429 to a fetch", "account.throttled", ("case fetch 429",)),
    Row("every code, for every provider", "as above", (
        f"{_EVERY}test_other_answers_leave_doubt",
        f"{_EVERY}test_other_proofs_of_refusal_need_no_body",
        f"{_EVERY}test_throttling_is_proof_of_refusal",
        f"{_EVERY}test_answers_without_a_state_tell_nothing_of_the_job",
        f"{_EVERY}test_status_is_throttled_in_every_form",
        f"{_EVERY}test_trouble_at_the_storage_is_tried_again")),
)  # fmt: skip

BODIES = (
    Row("200 with an error in it, to a submission", "submit.uncertain", ("case submit 200 with an error",)),
    Row("200 with an error in it, to a status or a fetch", "service.unreadable", (
        "case status 200 with an error", "case fetch 200 with an error")),
    Row("a page with 200, to a submission", "submit.uncertain", ("case submit 200 with a page",)),
    Row("a page with 200, to a status", "service.unreadable", ("case status 200 with a page",)),
    Row("a page with 200, to a fetch", "result.wrong", (
        "case fetch 200 with a page", f"{_EVERY}test_page_under_200_stays_what_it_is")),
    Row("an empty 200, to a submission", "submit.uncertain", ("case submit 200 with nothing",)),
    Row("an empty 200, to a status", "service.unreadable", ("case status 200 with nothing",)),
    Row("an empty 200, to a fetch", "result.empty", ("case fetch 200 with nothing",)),
    Row("400 with a state in it", "provider.failed", (
        "case status 400 with a state", f"{_EVERY}test_state_in_the_body_outranks_the_code")),
    Row("a wrong content type", "none", ("case fetch wrong content type",)),
    Row("gzip, or what is none, in a status", "service.unreachable", ("case status gzip lie",)),
    Row("gzip, or what is none, in a result", "service.unreadable", (
        "case fetch gzip", "case fetch gzip lie", f"{_RESULTS}test_encoded_results_are_refused")),
    Row("a compressed bomb", "service.unreachable", (f"{_CALLS}test_compressed_bomb_is_refused",)),
    Row("Content-Length too large, absent, contradicting itself", "result.cut", (
        "case fetch length too large", "case fetch length absent", "case fetch two lengths",
        f"{_RESULTS}test_cut_results_are_noticed")),
    Row("Content-Length too small", "none", (
        "case fetch length too small", f"{_RESULTS}test_answer_too_short_for_its_bytes_is_taken_as_announced")),
    Row("duplicate headers", "none", ("case fetch two content types", "case fetch length twice")),
    Row("heads without bounds", "service.unreachable", (
        f"{_CALLS}test_endless_head_is_refused", f"{_NETWORK}test_head_has_a_size")),
    Row("a NUL in a header", "result.cut", ("case fetch NUL in a header",)),
    Row("chunked, cut", "result.cut", ("case fetch chunks cut",)),
    Row("100-continue and other interim answers", "none", ("case fetch 100-continue",)),
    Row("answers of more than 4 MiB", "service.unreachable", (
        "case status 10 MB", f"{_CALLS}test_answers_are_bounded")),
    Row("an endless result", "result.too_large", (f"{_RESULTS}test_larger_than_allowed_is_left",)),
    Row("a result for which the disk has no room", "disk.full", (
        "test_spool.py::test_results_leave_room_for_the_journal",)),
    Row("error texts with controls, terminal sequences, changed directions, megabytes", "submit.rejected", (
        "case submit nasty reason", "case submit 10 MB of reason", f"{_HOUSE}test_words_of_services_are_fit_to_be_read",
        f"{_WORDS}test_words_of_a_service_reach_people_clean", f"{_WORDS}test_words_of_a_service_are_cut")),
    Row("the same in a failed status", "provider.failed", ("case status nasty reason",)),
    Row("a service that repeats the key", "submit.rejected", (
        f"{_WORDS}test_words_of_a_service_bring_no_key", f"{_HOUSE}test_nothing_shows_the_key",
        f"{_EVERY}test_no_error_shows_the_key", f"{_CALLS}test_key_in_an_answer_is_taken_out")),
    Row("bytes behind an answer", "none", (f"{_CALLS}test_bytes_behind_an_answer_are_no_answer",)),
)  # fmt: skip

ADDRESSES = (
    Row("redirect of a submission", "submit.uncertain", (
        "case submit redirect", f"{_CALLS}test_redirects_are_not_followed")),
    *(
        Row(f"redirect of a result: {where}", "service.unreadable", (f"case address redirect {where}",))
        for where in ("same host", "in a loop", "other host", "127.0.0.1", "169.254.169.254", "[::1]", "10.x", "file:")
    ),
    Row("redirects of results, for the transport", "service.unreadable", (
        f"{_RESULTS}test_redirects_of_results_are_not_followed", f"{_HOUSE}test_nobody_is_led_elsewhere")),
    *(
        Row(f"the result is said to be at {where}", "result.refused", (f"case address {where}",))
        for where in (
            "foreign http", "127.0.0.1", "a name that leads inside", "169.254.169.254", "169.254.169.254 secured",
            "[::1]", "10.x", "file:", "with a user",
        )
    ),
    Row("a private address in any form", "result.refused", (
        f"{_NETWORK}test_name_that_leads_inside_is_not_asked", f"{_RESULTS}test_private_addresses_are_refused",
        f"{_RESULTS}test_forms_of_an_address_are_judged_alike")),
    Row("a name that leads elsewhere between look and connection", "none: the judged address is asked", (
        f"{_NETWORK}test_connection_goes_to_the_address_that_was_judged",)),
    Row("a private host that the administrator allows", "none: asked without the key", (
        f"{_NETWORK}test_allowed_name_may_lead_inside",
        f"{_RESULTS}test_permitted_host_gets_the_request_without_the_key")),
    Row("no address brings the key to another host", "none", (
        f"{_RESULTS}test_no_spelling_brings_the_key_to_another_host",
        f"{_EVERY}test_no_credential_leaves_the_origin", f"{_HOUSE}test_nothing_shows_the_key")),
    Row("Content-Disposition with ../, from the root, RFC 5987, 300 characters", "none: the original's name is used", (
        "case fetch name with ..", "case fetch name from the root", "case fetch name in RFC 5987",
        "case fetch name of 300 characters")),
)  # fmt: skip

JOBS = (
    Row("a result that is identical to the original", "none: it was paid", ("case fetch identical to the original",)),
    Row("a result of a wrong type (one of another document and the same type shows nothing)", "result.wrong", (
        "case fetch a page for a letter", "case fetch a PDF for a letter")),
    Row("half a zip as a document", "none: fetched again", ("case fetch half a letter",)),
    Row("a bomb as a document: results are never unpacked, originals within bounds", "drop.damaged", (
        "segments/test_segments_archive.py::test_what_cannot_be_kept_or_trusted_is_refused",)),
    Row("an unknown word for a state", "none: warned once", (
        "case status unknown word", f"{_HOUSE}test_unknown_words_are_warned_of_once",
        f"{_EVERY}test_running_words_run", f"{_ENGINE}test_an_unknown_status_word_means_running")),
    Row("a state that goes backwards", "none", ("case status backwards",)),
    Row("done, then not", "none", (
        "case fetch done and then not", f"{_EVERY}test_back_from_finished_runs_again")),
    Row("vanished early", "none", ("case status unknown at first",)),
    Row("vanished late", "provider.lost", (
        "case status vanished for good", f"{_EVERY}test_id_unknown_early_and_late_is_lost")),
    Row("an id that is used again for another document", "submit.uncertain", (
        "hostile/test_provider_ids.py::test_reference_of_another_document_is_no_acceptance",)),
    Row("an id that is none", "submit.uncertain", (
        f"{_EVERY}test_reference_that_is_none_leaves_doubt", f"{_EVERY}test_reference_stays_one_step_of_the_path")),
    Row("done without an address", "none", (
        "case status done without an address", f"{_EVERY}test_finished_without_an_address_keeps_running")),
    Row("the address has expired", "none: asked anew", (
        "case fetch expired address", f"{_EVERY}test_address_that_has_expired_is_asked_for_anew")),
    Row("the key is revoked mid-way", "account.key", (
        "case status 401, key revoked mid-way", "e2e/test_outage.py::test_a_wrong_key_holds_the_account_and_says_so")),
    Row("the quota is reached mid-way", "provider.failed", (
        "case status quota reached mid-way",
        f"{_ENGINE}test_a_failure_that_blocks_the_account_fails_only_its_own_file")),
    Row("a second download is refused", "account.blocked", ("case fetch second download refused",)),
    Row("a result that never comes", "result.unusable", (
        "case fetch never again", "case fetch cut for ever",
        f"{_ENGINE}test_a_result_that_never_comes_fails_after_its_deadline")),
    Row("an account that is limited to n jobs", "account.full", (
        "test_accounts.py::test_a_full_service_is_believed", "test_accounts.py::test_a_service_that_others_fill",
        f"{_ENGINE}test_parts_wait_for_a_place_and_earlier_ones_are_polled_meanwhile")),
    Row("two entries of one account", "account.blocked", (
        "hostile/test_provider_accounts.py::test_trouble_of_one_entry_holds_the_other_of_its_account",)),
    Row("a service that is slower than its documented window", "account.throttled", (
        "test_accounts.py::test_pauses_grow_until_an_answer", f"{_ENGINE}test_a_service_that_asks_for_time_gets_it")),
    Row("nothing is submitted twice, whatever happens", "none", (
        f"{_HOUSE}test_no_submission_goes_out_twice_unless_it_was_refused",
        f"{_SUBMITS}test_submission_goes_out_once_whatever_happens")),
)  # fmt: skip

MATRIX: Mapping[str, Sequence[Row]] = {
    "Connections and time": CONNECTION,
    "Codes": CODES,
    "Bodies and headers": BODIES,
    "Addresses": ADDRESSES,
    "Jobs": JOBS,
}
