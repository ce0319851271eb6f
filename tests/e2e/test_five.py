"""What the providers' own shapes ask of the daemon: batches, windows across restarts, parts, lost answers."""

import json
import threading
from functools import partial
from pathlib import Path

import pytest

from daemon.sandbox.azure_blobs import container_url
from daemon.sandbox.child import Running, start
from tests.e2e.site import KEY, Site, wait_for


def _site(base: Path, sandbox: Running, entry: str, kind: str) -> Site:
    """A site with one provider alone."""
    site = Site(base, sandbox)
    head = site.config.read_text().partition("providers:")[0]
    site.config.write_text(
        f"{head}providers:\n  {kind}:\n    base_url: {sandbox.base_url(kind)}\n    api_key: {{env: SANDBOX_KEY}}\n"
        f'    result_hosts: ["{sandbox.addresses.results_host}"]\n    {entry}\n'
    )
    return site


def _count(sandbox: Running, service: str, verb: str) -> int:
    return int(sandbox.requests().get(service, {}).get(verb, {"count": 0})["count"])


def _asked_often(sandbox: Running, calls: int) -> bool:
    return _count(sandbox, "voicecheap", "status") >= calls


@pytest.mark.long
def test_a_hundred_azure_jobs_are_polled_with_a_few_requests_a_round(tmp_path: Path) -> None:
    """Batches in flight are listed together: 2 to 4 status requests for each look at a hundred of them."""
    with start(tmp_path / "services", pace=(3600.0, 3600.0)) as sandbox:
        storage = f'storage: {{source: "{container_url(sandbox.addresses, "source")}", '
        storage += f'target: "{container_url(sandbox.addresses, "target")}"}}'
        site = _site(
            tmp_path, sandbox, f"languages: [fr]\n    poll: {{every: 2s, at_most: 2s}}\n    {storage}", "azure"
        )
        for number in range(100):
            site.inbox(f"azure/fr/text {number}.txt").write_bytes(f"text {number}\n".encode())
        with site.daemon() as daemon:
            daemon.started()
            wait_for(lambda: sum(job.state == "in_flight" for job in site.jobs().values()) == 100, "all in flight", 120)
            threading.Event().wait(4)
            before = sandbox.requests()["azure"]["status"]["times"][-1]
            threading.Event().wait(10)
            times = [time for time in sandbox.requests()["azure"]["status"]["times"] if time > before]

            assert daemon.stop() == 0
        rounds = (times[-1] - times[0]) / 2.0

        assert rounds >= 3
        assert 2 <= len(times) / rounds <= 4


def test_fifty_finished_cambai_runs_are_fetched_together(tmp_path: Path) -> None:
    """Results of several documents come with one request: fifty of them with at most seventeen."""
    with start(tmp_path / "services", pace=(8.0, 8.0)) as sandbox:
        entry = (
            "source_language: en\n    languages: [fr]\n    max_in_flight: 50\n    poll: {every: 500ms, at_most: 500ms}"
        )
        site = _site(tmp_path, sandbox, entry, "cambai")
        for number in range(50):
            site.inbox(f"cambai/fr/text {number}.txt").write_bytes(f"The keeper of light {number}.\n".encode())
        with site.daemon() as daemon:
            daemon.started()
            wait_for(lambda: len(site.files("outbox")) == 50, "all to be delivered", 120)

            assert daemon.stop() == 0

        assert _count(sandbox, "cambai", "fetch") <= 17
        assert len(sandbox.ledger()) == 50


@pytest.mark.long
def test_no_window_has_more_status_calls_than_allowed_across_restarts(tmp_path: Path) -> None:
    """Fifty VoiceCheap jobs, two restarts in between: never more than 30 status calls in any window.

    The window is a tenth of the documented minute, at the service and in the configuration alike.
    """
    limits = {"voicecheap.status": "30/6s", "voicecheap.submit": "none", "voicecheap.jobs": "none"}
    with start(tmp_path / "services", pace=(4.0, 20.0), limits=limits) as sandbox:
        rate = "rate: {status: {requests: 30, per: 6s}, submit: {requests: 1000, per: 1s}}"
        entry = f"languages: [es]\n    max_in_flight: 50\n    poll: {{every: 300ms, at_most: 1s}}\n    {rate}"
        site = _site(tmp_path, sandbox, entry, "voicecheap")
        for number in range(50):
            site.inbox(f"voicecheap/es/talk {number}.mp3").write_bytes(b"ID3 talk %d" % number)
        for calls in (35, 70):
            with site.daemon() as daemon:
                daemon.started()
                wait_for(partial(_asked_often, sandbox, calls), "calls")
                daemon.kill()
        with site.daemon() as daemon:
            daemon.started()
            wait_for(lambda: len(site.files("outbox")) + len(site.failed()) == 50, "all to end", 150)

            assert daemon.stop() == 0
        times = sandbox.requests()["voicecheap"]["status"]["times"]

        for index, first in enumerate(times):
            assert sum(time < first + 6.0 for time in times[index:]) <= 30
        assert max(site.accepted().values()) == 1


def test_a_kill_between_two_parts_pays_no_part_again(tmp_path: Path) -> None:
    """A CAMB.AI document in six parts, killed after the third was accepted: the first three are not sent again."""
    with start(tmp_path / "services", pace=(0.2, 0.5)) as sandbox:
        entry = "source_language: en\n    languages: [fr]\n    max_texts: 1\n    poll: {every: 200ms, at_most: 500ms}"
        site = _site(tmp_path, sandbox, f"{entry}\n    rate: {{submit: {{requests: 3, per: 3s}}}}", "cambai")
        text = "".join(f"The keeper lights lamp number {number}.\n\n" for number in range(6))
        site.inbox("cambai/fr/lamps.txt").write_bytes(text.encode())
        with site.daemon() as daemon:
            daemon.started()
            wait_for(lambda: [len(job.refs) for job in site.jobs().values()] == [3], "three parts")
            daemon.kill()

        assert len(sandbox.ledger()) == 3

        with site.daemon() as daemon:
            daemon.started()
            wait_for(lambda: site.files("outbox"), "the document")

            assert daemon.stop() == 0
        assert len(sandbox.ledger()) == 6
        assert len({entry["sha256"] for entry in sandbox.ledger()}) == 6
        assert (site.root / "outbox/cambai/fr/lamps.txt").read_text().count("\n\n") == 6


def test_two_documents_of_one_name_whose_answers_were_lost_get_their_own_result_or_none(tmp_path: Path) -> None:
    """Recovery at Doctranslate goes by the token in the sent name alone: results are never exchanged."""
    with start(tmp_path / "services", pace=(0.2, 0.5)) as sandbox:
        entry = "languages: [vi, ja]\n    poll: {every: 200ms, at_most: 500ms}"
        site = _site(tmp_path, sandbox, entry, "doctranslate")
        for language in ("vi", "ja"):
            content = b"%PDF-1.4\n% " + language.encode() + b"\n%%EOF\n"
            site.inbox(f"doctranslate/{language}/report~lost.pdf").write_bytes(content)
        with site.daemon() as daemon:
            daemon.started()
            wait_for(lambda: len(site.files("outbox")) + len(site.failed()) == 2, "both to end", 150)

            assert daemon.stop() == 0
        for path in site.files("outbox"):
            language = path.split("/")[1]

            assert language.encode() in (site.root / "outbox" / path).read_bytes()
        assert set(site.codes()) <= {"submit.uncertain"}
        assert len(site.files("outbox")) == 2, "the history knew both"
        assert max(site.accepted().values()) == 1


def test_all_five_keep_their_keys(tmp_path: Path) -> None:
    """No service's results host ever sees a key, whatever the provider."""
    with start(tmp_path / "services", pace=(0.1, 0.3)) as sandbox:
        site = Site(tmp_path, sandbox)
        demo = site.command("demo", str(tmp_path / "demo"))

        assert demo.returncode == 0, demo.stdout
        assert demo.stdout.count("delivered outbox/") == 7
        assert KEY not in json.dumps(sandbox.leaks())
