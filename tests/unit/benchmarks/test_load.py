from benchmarks.load import read_dnsperf

REPORT = """\
Statistics:

  Queries sent:         {sent}
  Queries completed:    {completed} (100.00%)
  Queries lost:         {lost} (0.00%)

  Response codes:       NOERROR 318000 (99.96%), NXDOMAIN 116 (0.04%)
  Average packet size:  request 51, response 51
  Run time (s):         3.000203
  Queries per second:   106037.951853
"""


def test_a_report_without_losses_has_no_problems() -> None:
    load = read_dnsperf(REPORT.format(sent=318116, completed=318116, lost=0), "")
    assert (load.completed, load.seconds, load.lost, load.problems) == (318116, 3.000203, 0, ())
    assert load.rcodes == {"NOERROR": 318000, "NXDOMAIN": 116}


def test_one_lost_query_is_found() -> None:
    load = read_dnsperf(REPORT.format(sent=318117, completed=318116, lost=1), "")
    assert load.lost == 1


def test_queries_that_were_interrupted_are_lost_though_dnsperf_calls_none_so() -> None:
    assert read_dnsperf(REPORT.format(sent=318118, completed=318116, lost=0), "").lost == 2


def test_no_report_is_a_problem_that_says_why() -> None:
    assert "cannot connect" in read_dnsperf("", "Error: cannot connect").problems[0]


def test_an_answer_with_an_id_that_was_not_asked_is_a_problem() -> None:
    warning = "Warning: received a response with an unexpected (maybe timed out) id: 7"
    load = read_dnsperf(REPORT.format(sent=318116, completed=318116, lost=0), warning)
    assert load.problems == (warning,)
