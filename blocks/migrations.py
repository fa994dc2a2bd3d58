"""The store's schema as an ordered list of migrations: append, never change one that has been released."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        run_id VARCHAR, written_at TIMESTAMP, flow VARCHAR, dataset VARCHAR, strategy VARCHAR, models VARCHAR[],
        language VARCHAR, temperature DOUBLE, top_p DOUBLE, samples INTEGER, problems INTEGER,
        configuration VARCHAR, folder VARCHAR, created_at TIMESTAMP
    );
    CREATE TABLE executions (
        run_id VARCHAR, written_at TIMESTAMP, execution_id VARCHAR, flow_run_id VARCHAR, flow_run_name VARCHAR,
        status VARCHAR, isolation VARCHAR, workers INTEGER, eval_workers INTEGER, paid_calls INTEGER,
        wall_seconds DOUBLE, started_at TIMESTAMP, finished_at TIMESTAMP
    );
    CREATE TABLE attempts (
        run_id VARCHAR, written_at TIMESTAMP, problem_id VARCHAR, sample INTEGER, execution_id VARCHAR,
        task_run_id VARCHAR, outcome VARCHAR, solved BOOLEAN, error_kind VARCHAR, error VARCHAR, program VARCHAR,
        tries INTEGER, samples_checked INTEGER, tests INTEGER, tests_passed INTEGER, isolation VARCHAR,
        started_at TIMESTAMP, generated_at TIMESTAMP, grading_started_at TIMESTAMP, finished_at TIMESTAMP
    );
    CREATE TABLE calls (
        run_id VARCHAR, written_at TIMESTAMP, call_key VARCHAR, problem_id VARCHAR, sample INTEGER, stage VARCHAR,
        ordinal INTEGER, execution_id VARCHAR, pool VARCHAR, model_number INTEGER, endpoint VARCHAR, model VARCHAR,
        prompt_tokens BIGINT, completion_tokens BIGINT, reasoning_tokens BIGINT, cached_prompt_tokens BIGINT,
        cost DOUBLE, currency VARCHAR, price_source VARCHAR, ttft DOUBLE, seconds DOUBLE, started_at TIMESTAMP,
        finished_at TIMESTAMP, finish_reason VARCHAR, request_id VARCHAR, recorded BOOLEAN, cached BOOLEAN,
        error_kind VARCHAR, status INTEGER, error VARCHAR, keep_text BOOLEAN, messages JSON, reply VARCHAR,
        reasoning VARCHAR
    );
    CREATE TABLE programs (
        run_id VARCHAR, written_at TIMESTAMP, problem_id VARCHAR, sample INTEGER, round INTEGER, stage VARCHAR,
        program VARCHAR, samples INTEGER, samples_passed INTEGER, report VARCHAR
    );
    CREATE TABLE tests (
        run_id VARCHAR, written_at TIMESTAMP, problem_id VARCHAR, sample INTEGER, suite VARCHAR, test INTEGER,
        outcome VARCHAR, cpu_seconds DOUBLE, wall_seconds DOUBLE, peak_memory DOUBLE, detail VARCHAR,
        isolation VARCHAR, execution_id VARCHAR
    );
    """,
    """
    ALTER TABLE tests ADD COLUMN comparison VARCHAR;
    ALTER TABLE tests ADD COLUMN cpu_limit DOUBLE;
    ALTER TABLE tests ADD COLUMN wall_limit DOUBLE;
    ALTER TABLE tests ADD COLUMN memory_limit_mb INTEGER;
    ALTER TABLE tests ADD COLUMN output_limit_kb INTEGER;
    ALTER TABLE tests ADD COLUMN scale DOUBLE;
    ALTER TABLE programs ADD COLUMN isolation VARCHAR;
    ALTER TABLE attempts ADD COLUMN language VARCHAR;
    """,
    """
    CREATE TABLE model_events (
        run_id VARCHAR, written_at TIMESTAMP, execution_id VARCHAR, pool VARCHAR, endpoint VARCHAR, model VARCHAR,
        event VARCHAR, reason VARCHAR, until TIMESTAMP, next VARCHAR, happened_at TIMESTAMP
    );
    ALTER TABLE attempts ADD COLUMN served_by VARCHAR[];
    """,
    """
    CREATE TABLE test_inputs (
        run_id VARCHAR, written_at TIMESTAMP, problem_id VARCHAR, sample INTEGER, source VARCHAR, number INTEGER,
        round INTEGER, outcome VARCHAR, doubtful BOOLEAN, input VARCHAR, output VARCHAR, detail VARCHAR,
        cpu_seconds DOUBLE, wall_seconds DOUBLE, peak_memory DOUBLE, isolation VARCHAR, execution_id VARCHAR
    );
    CREATE TABLE test_files (
        run_id VARCHAR, written_at TIMESTAMP, problem_id VARCHAR, sample INTEGER, source VARCHAR, outcome VARCHAR,
        wanted INTEGER, tests INTEGER, tried INTEGER, rounds INTEGER, doubtful INTEGER, rejected JSON,
        models VARCHAR[], line_coverage DOUBLE, branch_coverage DOUBLE, error VARCHAR, execution_id VARCHAR
    );
    """,
    """
    CREATE TABLE steps (
        run_id VARCHAR, written_at TIMESTAMP, problem_id VARCHAR, sample INTEGER, plan INTEGER, step INTEGER,
        task VARCHAR, difficulty INTEGER, token_budget INTEGER, depends_on INTEGER[], size VARCHAR, model VARCHAR,
        result VARCHAR, error VARCHAR, escalated BOOLEAN, discarded BOOLEAN, started_seconds DOUBLE, seconds DOUBLE,
        ttft DOUBLE, prompt_tokens INTEGER, completion_tokens INTEGER, cost DOUBLE, currency VARCHAR,
        execution_id VARCHAR
    );
    CREATE TABLE answers (
        run_id VARCHAR, written_at TIMESTAMP, problem_id VARCHAR, sample INTEGER, question VARCHAR, subject VARCHAR,
        answer VARCHAR, prediction VARCHAR, correct BOOLEAN, decided_by VARCHAR, plan VARCHAR, fallback VARCHAR,
        repairs VARCHAR[], steps INTEGER, failed_steps INTEGER, critical_path INTEGER[], compression_ratio DOUBLE,
        aggregated BOOLEAN, planning_seconds DOUBLE, wall_seconds DOUBLE, execution_id VARCHAR
    );
    """,
    """
    CREATE TABLE judgements (
        run_id VARCHAR, written_at TIMESTAMP, judged_run_id VARCHAR, problem_id VARCHAR, sample INTEGER, role VARCHAR,
        step INTEGER, dimension VARCHAR, model VARCHAR, score INTEGER, reason VARCHAR, error VARCHAR,
        repaired BOOLEAN, judge VARCHAR, execution_id VARCHAR
    );
    """,
    """
    ALTER TABLE programs ADD COLUMN plan VARCHAR;
    ALTER TABLE programs ADD COLUMN tests VARCHAR;
    """,
)
