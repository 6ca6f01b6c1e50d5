"""Reads files as their readers do, and exits with 1 and a line for each that they do not take.

  validate.py schema SCHEMA FILE…   by a JSON Schema
  validate.py junit FILE…           by junitparser; prints cases, failures, errors and skipped cases, which a line each counts
"""
import json
import sys


def by_schema(schema, files):
    import fastjsonschema

    with open(schema, encoding="utf-8") as text:
        # Formats such as date-time are not what is in question.
        validate = fastjsonschema.compile(json.load(text))
    wrong = 0
    for file in files:
        with open(file, encoding="utf-8") as text:
            document = json.load(text)
        try:
            validate(document)
        except fastjsonschema.JsonSchemaException as problem:
            print(f"{file}: {problem}")
            wrong = 1
    return wrong


def junit(files):
    from junitparser import Error, Failure, JUnitXml, Skipped

    wrong = 0
    for file in files:
        report = JUnitXml.fromfile(file)
        cases = [case for suite in report for case in suite]
        kinds = [result for case in cases for result in case.result]
        counted = [len(cases)] + [sum(isinstance(one, kind) for one in kinds) for kind in (Failure, Error, Skipped)]
        stated = [report.tests, report.failures, report.errors, report.skipped]
        print(*counted)
        if counted != stated or not all(case.name and case.classname for case in cases):
            print(f"{file}: holds {counted}, says {stated}")
            wrong = 1
    return wrong


if __name__ == "__main__":
    if sys.argv[1] == "schema":
        sys.exit(by_schema(sys.argv[2], sys.argv[3:]))
    sys.exit(junit(sys.argv[2:]))
