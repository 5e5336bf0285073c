import sys

import pytest

from testbed.errors import BedError
from testbed.host import command


def test_a_result_has_status_and_both_streams() -> None:
    line = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    result = command.attempt([sys.executable, "-c", line])
    assert (result.status, result.out, result.err, result.ok) == (3, "out\n", "err\n", False)


def test_a_missing_program_is_a_result_like_any_other() -> None:
    assert command.attempt(["no-such-program-of-six"]).status == 127


def test_a_program_that_does_not_end_is_stopped() -> None:
    result = command.attempt([sys.executable, "-c", "import time; time.sleep(9)"], timeout=0.3)
    assert (result.status, result.err) == (124, "no end after 0 s")


def test_a_failure_says_what_ran_what_it_said_and_what_to_do() -> None:
    with pytest.raises(BedError) as caught:
        command.run(["sh", "-c", "echo broken pipe >&2; exit 4"], remedy="mend the pipe")
    text = str(caught.value)
    assert "sh -c 'echo broken pipe >&2; exit 4'" in text
    assert "seen: exit status 4: broken pipe" in text
    assert text.endswith("do: mend the pipe")


def test_variables_are_laid_over_the_callers() -> None:
    shown = command.run(["sh", "-c", "echo $SIX_TRY $PATH"], env={"SIX_TRY": "yes"})
    assert shown.out.startswith("yes /")
