"""Runs migrations on the connection that digest/store/migrate.py hands over, in one transaction."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    render_as_batch=True,
    compare_type=True,
    # all or nothing, on SQLite too: a failed step must not leave half a schema behind
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
