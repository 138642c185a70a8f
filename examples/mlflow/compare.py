"""A sweep that MLflow has, as the table of `tailmix report`: last epoch, in percent, mean ± sample standard deviation over the seeds.

    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python compare.py SWEEP [EXPERIMENT]

SWEEP is the sweep's name; of several of that name the newest counts. Rows are in the order in which methods began, which with several
jobs may be another than the report's. It needs MLflow alone.
"""

import re
import statistics
import sys

import mlflow

COLUMNS = {
    "Accuracy": "test/accuracy",
    "Balanced": "test/balanced_accuracy",
    "Many": "test/many",
    "Medium": "test/medium",
    "Few": "test/few",
    "Worst class": "test/worst_class",
    "Macro-F1": "test/macro_f1",
    "ECE": "test/ece",
}
# Parameters that decide no result, or are the seed itself.
IGNORED = re.compile(r"^(seed|name|method|out|backend|\$schema|plugins\.(mlflow|progress|tracking|checkpoint)\b.*)$")


def runs_of(sweep, experiment):
    """The finished runs of a sweep, the oldest first."""
    names = [experiment] if experiment else [found.name for found in mlflow.search_experiments()]
    search = {"experiment_names": names, "output_format": "list"}
    parents = mlflow.search_runs(filter_string=f"tags.`tailmix.sweep` = '{sweep}'", order_by=["start_time DESC"], **search)
    if not parents:
        sys.exit(f"compare.py: expected a sweep called {sweep}; MLflow has none.")
    found = mlflow.search_runs(
        filter_string=f"tags.`mlflow.parentRunId` = '{parents[0].info.run_id}' AND attributes.status = 'FINISHED'",
        order_by=["start_time ASC"],
        **search,
    )
    return [run for run in found if COLUMNS["Accuracy"] in run.data.metrics]


def grouped(runs):
    """Runs of the same method and settings, by what a table calls them; the baseline first."""
    groups = {}
    for run in runs:
        settings = {key: value for key, value in run.data.params.items() if not IGNORED.match(key)}
        key = (run.data.tags["tailmix.method"], tuple(sorted(settings.items())))
        groups.setdefault(key, []).append(run)
    labels = {}
    for (method, settings), own in groups.items():
        others = [dict(each) for name, each in groups if name == method]
        varied = [key for key, value in settings if any(each.get(key) != value for each in others)]
        shown = ", ".join(f"{key.split('.')[-1]} {dict(settings)[key]}" for key in varied)
        labels[f"{method} ({shown})" if shown else method] = own
    plain = re.compile(r"(erm|baseline|ce|cross[- ]entropy)\b", re.IGNORECASE)
    first = next((label for label in labels if plain.match(label)), None)
    return dict(sorted(labels.items(), key=lambda item: item[0] != first))


def cell(values):
    if not values:
        return "–"
    spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{spread}"


def main(sweep, experiment=None):
    print(f"| Method | Seeds | {' | '.join(COLUMNS)} |")
    print(f"| --- | ---:{' | ---:' * len(COLUMNS)} |")
    for label, runs in grouped(runs_of(sweep, experiment)).items():
        cells = [cell([run.data.metrics[key] for run in runs if key in run.data.metrics]) for key in COLUMNS.values()]
        print(f"| {label} | {len(runs)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
