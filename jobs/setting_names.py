"""The names of all settings, so that a process remarks on one that none of a fleet's reads.

Each process reads the settings of its own rooms and shares its environment with the others.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.nearest import meant

_PREFIX = "WHERRY_"

_SETTING_NAMES = """
api_keys api_url batch_timeout_s batch_window batches_at_once bulk_weight celery_default_queue
celery_max_result_bytes celery_result_backend celery_tasks_at_once compact_records cors_origins
dashboards_url decode_threads delivered_ttl_s device drain_delay_s drain_timeout_s endpoint_hosts
endpoint_schemes events family_redis files_ttl_s grpc_host grpc_port handler_dir health_file
infer_timeout_s inline_max_bytes instill_bounding_box_key interactive_weight kept_requests_bytes
kept_requests_s key_prefix label_studio_local_files label_studio_uploads lease_ttl_s
load_parameters log_format max_attempts max_batch_bytes max_batch_lines max_body_bytes
max_decode_bytes max_file_bytes max_jobs_per_batch max_model_bytes max_results_bytes
max_rows_per_job max_upload_bytes max_wait_s max_waiting metrics_host metrics_port min_replicas
min_replicas_timeout_s models models_poll_s outbound_networks pod_credentials pod_name public_url
redis_url require_api_keys result_ttl_s run_dir run_kept_s run_places run_segment_bytes
run_segment_s run_settle_s run_shard_files run_shard_rows run_steal_s s3_access_key_id
s3_attempts s3_endpoint_url s3_region
s3_secret_access_key s3_timeout_s scale_to_zero scaling_bulk_target_wait_s scaling_down_after_s
scaling_start_s scaling_target_wait_s scaling_unknown_row_s store_dir store_failure store_url
store_wait_s stream_ttl_s strict_models strict_parameters sweep_age_s sweep_every_s
tenants_share_batches ticket_patience_s tracing triton_shapes tune tune_budget_s tune_max_bytes
tuned_dir
upload_kept_s url_at_once url_buckets url_hosts
url_max_bytes url_max_redirects url_schemes url_timeout_s webhook_first_pause_s webhook_hosts
webhook_keep_s webhook_retry_s webhook_schemes webhook_secrets webhook_timeout_s webhooks_at_once
"""

#: Those of docs/settings.md.
SETTINGS = frozenset(_SETTING_NAMES.split())

_OTHER_NAMES = """
api_key api_key_file browser_fleet ca_file chaos chromium flower_auth flower_host flower_port
fuzz_examples grafana_password grafana_port host join_api_url join_ca join_models join_redis_url
join_version models_dir port prometheus_port record_compatibility redis_host redis_memory
redis_password redis_password_file redis_port tls_cert tls_key torch_index url
"""

#: What the client, its commands, compose.yaml and the project's own tests read.
_OTHERS = frozenset(_OTHER_NAMES.split())


def remarks(environment: Mapping[str, str]) -> list[str]:
    """A line on each variable that looks like a setting and is none. Shows no value."""
    known = SETTINGS | _OTHERS
    odd = [
        name
        for name in sorted(environment)
        if name.startswith(_PREFIX) and name.removeprefix(_PREFIX).lower() not in known
    ]
    names = [_PREFIX + name.upper() for name in known]
    return [f"{name} is no setting, nobody reads it{meant(name, names)}" for name in odd]
