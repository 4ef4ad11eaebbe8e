"""The checklist of risks, line by line, and the tests that prove each: one that is gone fails here."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CHECKLIST = {
    "checkpoints run no code: safetensors and JSON only, no pickle anywhere": (
        "tests/architecture/test_house.py::test_nothing_unpickles_and_nothing_runs_a_shell",
        "tests/unit/trainer/test_pretrained.py::test_a_pickle_is_not_opened_and_the_way_out_is_told",
        "tests/security/test_old_ground.py::test_torch_is_one_that_reads_weights_without_running_them",
        "tests/security/test_old_ground.py::test_no_snapshot_of_a_study_is_unpickled",
        "tests/fuzz/test_readers.py::test_no_bytes_break_a_reader",
    ),
    "Celery takes JSON only": (
        "tests/integration/test_queue_client.py::test_only_json_is_spoken",
        "tests/security/test_old_ground.py::test_a_pickled_message_is_not_opened",
    ),
    "Redis: what a record says makes a worker train and read nothing that nobody signed": (
        "tests/security/test_signed_jobs.py::test_a_worker_trains_what_is_signed_and_nothing_else",
        "tests/security/test_signed_jobs.py::test_no_cell_is_drawn_for_a_campaign_that_nobody_signed",
        "tests/security/test_signed_jobs.py::test_nothing_is_built_upon_what_is_not_signed",
    ),
    "Redis: each role may what it needs, and a server that lets anybody in is refused beyond loopback": (
        "tests/deploy/test_acl.py::test_producer_and_worker_may_whatever_code_and_scripts_call",
        "tests/deploy/test_acl.py::test_each_user_is_refused_what_is_not_its_affair",
        "tests/deploy/test_acl.py::test_a_server_that_lets_anybody_in_is_refused_beyond_loopback",
    ),
    "Flower: beyond this machine only with a password, and its own API closed without": (
        "tests/integration/test_monitor_acts.py::test_flower_is_not_opened_to_other_machines_without_a_password",
        "tests/integration/test_monitor_acts.py::test_pages_api_stream_and_metrics_ask_for_the_password",
        "tests/integration/test_monitor_acts.py::test_flowers_own_api_is_closed_to_who_is_not_signed_in",
    ),
    "secrets are in no message, record, log, page, report, command line or child": (
        "tests/security/test_no_secret_leaves.py::test_no_canary_is_found_anywhere",
        "tests/security/test_no_secret_leaves.py::test_every_setting_that_is_a_secret_is_kept_from_children",
    ),
    "names and folders stay within their roots": (
        "tests/unit/run/test_run_folder.py::test_a_name_that_could_leave_its_folder_is_refused",
        "tests/unit/datasets/test_scan.py::test_links_out_of_the_folder_are_refused_and_links_within_are_followed",
        "tests/security/test_signed_jobs.py::test_only_a_folder_in_a_runs_root_counts_as_a_run_folder",
        "tests/security/test_signed_jobs.py::test_a_model_is_taken_from_a_run_folder_alone_and_of_a_signed_job_alone",
        "tests/security/test_records_name_no_other_folder.py::test_no_command_shows_a_folder_that_a_record_made_up",
        "tests/security/test_records_name_no_other_folder.py::test_neither_flower_nor_a_forecast_nor_a_campaign_reads_there",
    ),
    "compressed records are bounded, and no archive is unpacked": (
        "tests/unit/store/test_packing.py::test_what_unpacks_to_more_than_any_spec_is_refused",
        "tests/architecture/test_house.py::test_nothing_unpacks_an_archive",
    ),
    "pictures: the header's size is looked at before any pixel is decoded": (
        "tests/unit/datasets/test_picture.py::test_a_png_that_claims_to_be_huge_is_refused_before_it_is_decoded",
        "tests/security/test_old_ground.py::test_a_picture_that_claims_to_be_huge_costs_no_memory",
        "tests/security/test_old_ground.py::test_a_jpeg_of_endless_scans_or_of_another_format_is_not_decoded",
        "tests/security/test_old_ground.py::test_a_deep_picture_takes_no_more_memory_than_a_few_of_its_size",
    ),
    "YAML: no tags, aliases, doubled keys or surprising numbers; bounded": (
        "tests/unit/spec/test_reading.py::test_a_tag_is_refused_and_nothing_runs",
        "tests/unit/spec/test_reading.py::test_an_alias_is_refused_with_its_line",
        "tests/unit/spec/test_reading.py::test_a_doubled_key_is_refused",
        "tests/unit/spec/test_reading.py::test_an_exponent_without_a_point_is_a_number",
        "tests/unit/spec/test_reading.py::test_a_file_that_is_missing_huge_or_no_mapping_is_refused",
        "tests/unit/spec/test_reading.py::test_numbers_have_no_base_of_60",
    ),
    "notices go to no private address: by number, name, rebinding or redirect": (
        "tests/security/test_notices_go_nowhere_private.py::test_no_guise_of_this_machine_is_connected_to",
        "tests/security/test_notices_go_nowhere_private.py::test_a_redirect_is_not_followed",
        "tests/security/test_notices_go_nowhere_private.py::"
        "test_a_name_that_leads_elsewhere_the_second_time_gets_no_further",
    ),
    "a spec's numbers have ends": (
        "tests/security/test_old_ground.py::test_a_spec_asks_for_no_boundless_work",
        "tests/integration/test_routing.py::test_quotas_are_set_and_shown_and_refuse_a_submit",
        "tests/integration/test_dataset_sync.py::test_what_was_used_least_recently_gives_way_but_nothing_in_use",
    ),
    "a network is one of ours, by name; no path is imported": (
        "tests/security/test_old_ground.py::test_a_network_is_a_name_of_ours_and_nothing_is_imported",
    ),
    "every act is noted: who, what, when, from where": (
        "tests/security/test_audit_trail.py::test_every_verb_notes_itself_with_what_came_of_it",
        "tests/security/test_audit_trail.py::test_what_a_campaign_does_to_its_jobs_is_one_act",
        "tests/integration/test_monitor_acts.py::test_acts_are_those_of_the_command_line",
    ),
    "a remote folder decides what weights a job goes on from, and not what is trained or read": (
        "tests/integration/test_remote_at_a_claim.py::test_what_a_remote_folder_says_is_to_be_trained_is_not_believed",
        "tests/integration/test_remote_at_a_claim.py::test_what_is_too_large_to_be_ours_is_not_read",
        "tests/integration/test_remote_at_a_claim.py::test_a_model_of_another_machine_is_brought_verified_and_only_once",
        "tests/unit/trainer/test_resolve.py::test_of_what_was_decided_elsewhere_nothing_else_is_taken",
        "tests/integration/test_recover_remote.py::test_what_was_brought_starts_no_job_anew_and_is_not_signed",
        "tests/integration/test_dataset_sync.py::test_a_path_that_leaves_its_folder_is_refused",
        "tests/integration/test_dataset_sync.py::test_a_list_without_an_end_is_refused",
        "tests/unit/remote/test_url.py::test_what_holds_credentials_or_names_no_folder_is_refused",
    ),
    "dependencies: licences that we can ship, versions pinned by hash": (
        "tests/security/test_supply_chain.py::test_no_dependency_has_a_licence_that_binds_what_we_ship",
        "tests/security/test_supply_chain.py::test_every_version_of_an_image_is_pinned_by_hash",
    ),
}  # fmt: skip
"""deploy/THREATS.md says what stands behind each line."""


@pytest.mark.parametrize("line", CHECKLIST)
def test_each_line_of_the_checklist_has_its_tests(line):
    for test in CHECKLIST[line]:
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in defined, test


def test_the_threat_model_names_every_line():
    page = (ROOT / "deploy" / "THREATS.md").read_text()
    assert [line for line in CHECKLIST if line not in page] == []


def table() -> str:
    """`benchmarks/results/security.md`, written by `python -m tests.security.test_checklist`."""
    count = len(CHECKLIST)
    head = [
        f"# Security checklist: {count} of {count}",
        "",
        "Made by `python -m tests.security.test_checklist`. Each test is there, or the test suite fails; "
        "what they guard is said in [THREATS.md](../../deploy/THREATS.md).",
        "",
        "| line | tests |",
        "| --- | --- |",
    ]
    rows = [f"| {line} | {'<br>'.join(f'`{test}`' for test in tests)} |" for line, tests in CHECKLIST.items()]
    return "\n".join([*head, *rows]) + "\n"


def test_the_committed_table_is_of_this_list():
    assert (ROOT / "benchmarks" / "results" / "security.md").read_text() == table()


if __name__ == "__main__":
    (ROOT / "benchmarks" / "results" / "security.md").write_text(table())
