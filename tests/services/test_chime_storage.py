"""What the tables refuse on their own, even if an operation fails to check it."""

import pytest

from rolecall.storage import chime_accounts, chime_users
from rolecall.storage.problems import AlreadyThere


@pytest.fixture
def database(world):
    return world.database


def test_an_email_address_or_user_name_is_there_once(world, database):
    with database.transaction() as connection:
        account = chime_accounts.list_accounts(connection, world.first_account)[0]
        known = chime_users.user_by_email(connection, account.account_id, "ANA@example.com")
        lobby = known._replace(user_id="lobby", primary_email=None)
        chime_users.add_user(connection, lobby, username="lobby")
    for user, username in (
        (known._replace(user_id="other", primary_email="Ana@Example.com"), None),
        (lobby._replace(user_id="other"), "lobby"),
    ):
        with pytest.raises(AlreadyThere), database.transaction() as connection:
            chime_users.add_user(connection, user, username=username)
    with database.snapshot() as connection:
        users = chime_users.list_users(connection, account.account_id)
    assert [user.user_id for _, user in users].count("other") == 0


def test_users_go_with_their_account(world, database):
    with database.transaction() as connection:
        account = chime_accounts.list_accounts(connection, world.first_account)[0]
        chime_accounts.remove_account(connection, account.account_id)
        assert chime_users.list_users(connection, account.account_id) == []


def test_writing_chime_does_not_make_anyone_read_policies_again(world, database):
    chime = world.client("chime")
    with database.snapshot() as connection:
        before = database.generation(connection)
    account_id = chime.create_account(Name="Team")["Account"]["AccountId"]
    chime.create_user(AccountId=account_id, Email="ana@example.com")
    with database.snapshot() as connection:
        assert database.generation(connection) == before
