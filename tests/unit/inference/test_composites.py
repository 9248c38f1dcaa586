"""Relationships of several columns."""

from holdfastd.inference.candidates import infer_candidates
from support.builders import a_catalog, a_table

DATASETS = a_table("datasets", "id text", "project_id text", key=("id", "project_id"))
DAG_RUN = a_table("dag_run", "dag_id text not null", "run_id text not null", unique=[("dag_id", "run_id")])
TASK = a_table("task_instance", "dag_id text", "task_id text", "run_id text", key=("dag_id", "task_id", "run_id"))


def found(*tables):
    """Composite candidates without the schema, with their confidence."""
    candidates = infer_candidates(a_catalog(*tables))
    return {candidate.id.replace("public.", ""): candidate.confidence for candidate in candidates if len(candidate.referencing.columns) > 1}


def test_a_member_named_after_the_table_completes_the_key():
    """`(dataset_id, project_id)` is the key `(id, project_id)` of datasets."""
    assert list(found(DATASETS, a_table("runs", "dataset_id text not null", "project_id text not null"))) == [
        "runs(dataset_id, project_id)->datasets(id, project_id)"
    ]


def test_equal_names_with_one_of_the_table_are_a_reference():
    """`run_id` is named after dag_run, so columns called like its key reference it."""
    assert list(found(DAG_RUN, a_table("xcom", "dag_id text not null", "run_id text not null"))) == [
        "xcom(dag_id, run_id)->dag_run(dag_id, run_id)"
    ]


def test_siblings_that_share_columns_do_not_reference_each_other():
    """Two link tables with the same two columns are no relationship."""
    likes = a_table("likes", "user_id integer", "post_id integer", key=("user_id", "post_id"))
    views = a_table("views", "user_id integer", "post_id integer", key=("user_id", "post_id"))
    assert found(a_table("users"), a_table("posts"), likes, views) == {}


def test_one_role_before_all_members_points_into_the_same_table():
    """`(parent_id, parent_state)` is another row's `(id, state)`."""
    volumes = a_table("volumes", "id integer", "state text", "parent_id integer", "parent_state text", key=("id", "state"))
    assert list(found(volumes)) == ["volumes(parent_id, parent_state)->volumes(id, state)"]


def test_column_prefixes_do_not_hide_a_key():
    """TPC-C's `(o_w_id, o_d_id)` is the key `(d_w_id, d_id)` of district."""
    district = a_table("district", "d_w_id integer", "d_id integer", "d_name text", key=("d_w_id", "d_id"))
    orders = a_table("oorder", "o_w_id integer not null", "o_d_id integer not null", "o_id integer not null", key=())
    assert list(found(district, orders)) == ["oorder(o_w_id, o_d_id)->district(d_w_id, d_id)"]


def test_what_a_wider_relationship_guarantees_is_lowered():
    """A note on a task instance needs no key to its run, which the task instance has."""
    note = a_table("task_instance_note", "dag_id text", "task_id text", "run_id text", key=("dag_id", "task_id", "run_id"))
    confidences = found(DAG_RUN, TASK, note)
    assert confidences["task_instance_note(dag_id, task_id, run_id)->task_instance(dag_id, task_id, run_id)"] > 0.7
    assert confidences["task_instance_note(dag_id, run_id)->dag_run(dag_id, run_id)"] < 0.5


def test_many_tables_of_one_tenant_column_reference_what_they_name():
    """Where every table holds `tenant_id`, the table that a column names is found all the same."""
    others = [a_table(f"thing_{number}", "tenant_id integer", "id integer", key=("tenant_id", "id")) for number in range(80)]
    customers = a_table("customers", "tenant_id integer", "id integer", key=("tenant_id", "id"))
    orders = a_table("orders", "tenant_id integer", "id integer", "customer_id integer not null", key=("tenant_id", "id"))
    assert list(found(*others, customers, orders)) == ["orders(tenant_id, customer_id)->customers(tenant_id, id)"]
