"""``initsk list``."""

from tests.cli.helpers import run


def test_list(capsys):
    assert run("list") == 0
    assert "he_normal" in capsys.readouterr().out
    assert run("list", "--framework", "keras") == 0
    assert "keras.he_normal" in capsys.readouterr().out
    assert run("list", "--markdown") == 0
    assert "| `he_normal` |" in capsys.readouterr().out
