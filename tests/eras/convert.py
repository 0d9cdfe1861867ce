"""Convert many files in one process: what `keras-optimizers migrate` does, without its start.

    python tests/eras/convert.py JOBS.json

A job is {"source", "target", "to", "options", "report"}, with the command's options. The report is
written as `--report` writes it, or as {"refused": reason}. With "damage" ("drop" or "zero") the
file is damaged afterwards, and the report gets {"damaged": whether it could be}.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import damage

from keras_optimizers.checkpoint import CheckpointError, command, inspection, migrate, migration


def main():
    parser = argparse.ArgumentParser()
    command.add_migrate_arguments(parser)
    with open(sys.argv[1]) as opened:
        jobs = json.load(opened)
    for job in jobs:
        given = parser.parse_args(
            [job["source"], job["target"], "--to", job["to"], *job["options"]]
        )
        release = {"keras_version": given.keras_version} if given.keras_version else {}
        try:
            outcome = migrate(
                given.source,
                given.target,
                given.to,
                iterations=given.iterations,
                values=migration.parse_values(given.set),
                model=given.model,
                read_options=command.read_options(given),
                write_options=release,
            )
            report = inspection.describe_outcome(outcome)
            if job.get("damage"):
                report["damaged"] = damage.damage(job["target"], job["damage"], job["state"])
        except CheckpointError as error:
            report = {"refused": str(error)}
        with open(job["report"], "w") as opened:
            json.dump(report, opened)


if __name__ == "__main__":
    main()
