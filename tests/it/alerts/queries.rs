//! Parses every query of the alerts and the dashboard, and follows its labels from the selectors to the result: each metric is
//! served, each label exists, and each value is possible.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, AggregateExpr, BinaryExpr, Call, Expr, VectorSelector};
use serde_json::Value;

use super::exposition::Exposition;
use super::{WEBHOOK, alerts, read, served};

/// What a scrape adds to each series.
const OF_TARGETS: [&str; 3] = ["namespace", "pod", "job"];

/// A query and where it is written.
struct Query {
    place: String,
    text: String,
    /// Labels that the text beside it names, each to be left by the query.
    told: Vec<String>,
}

fn queries() -> Vec<Query> {
    let mut queries: Vec<Query> = alerts()
        .into_iter()
        .map(|alert| Query {
            told: between(&alert.annotations.to_string(), "$labels.", |letter| {
                !letter.is_alphanumeric() && letter != '_'
            }),
            text: alert.query,
            place: alert.name,
        })
        .collect();
    let dashboard: Value = serde_json::from_str(&read("charts/dorgu-operator/files/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            queries.push(Query {
                place: panel["title"].as_str().unwrap().to_owned(),
                text: target["expr"].as_str().unwrap().replace("$__rate_interval", "5m"),
                told: between(target["legendFormat"].as_str().unwrap(), "{{", |letter| letter == '}'),
            });
        }
    }
    assert!(queries.len() > 60, "{}", queries.len());
    queries
}

/// The words between each `start` and the next letter that `ends`.
fn between(text: &str, start: &str, ends: impl Fn(char) -> bool + Copy) -> Vec<String> {
    let words = text.split(start).skip(1);
    words
        .map(|rest| rest.split(ends).next().unwrap_or_default().to_owned())
        .collect()
}

/// Labels, of what is no scalar.
type Labels = Option<BTreeSet<String>>;

/// What is there to be asked.
struct There<'t> {
    ours: &'t Exposition,
    api_servers: &'t Exposition,
}

impl There<'_> {
    /// The labels that the result of an expression has.
    fn labels(&self, expr: &Expr) -> Result<Labels> {
        match expr {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(None),
            Expr::VectorSelector(selector) => self.selected(selector).map(Some),
            Expr::MatrixSelector(matrix) => self.selected(&matrix.vs).map(Some),
            Expr::Paren(inner) => self.labels(&inner.expr),
            Expr::Unary(inner) => self.labels(&inner.expr),
            Expr::Subquery(inner) => self.labels(&inner.expr),
            Expr::Aggregate(aggregate) => self.aggregated(aggregate).map(Some),
            Expr::Call(call) => self.called(call),
            Expr::Binary(binary) => self.combined(binary),
            Expr::Extension(_) => bail!("an extension"),
        }
    }

    fn selected(&self, selector: &VectorSelector) -> Result<BTreeSet<String>> {
        let name = selector.name.as_deref().context("a selector without a name")?;
        ensure!(
            selector.matchers.or_matchers.is_empty(),
            "{name}: alternatives of matchers"
        );
        let exposition = if name.starts_with("apiserver_") {
            self.api_servers
        } else {
            self.ours
        };
        let series = exposition
            .series
            .get(name)
            .with_context(|| format!("nobody serves {name}"))?;
        let labels: BTreeSet<String> = series.keys().cloned().chain(OF_TARGETS.map(str::to_owned)).collect();
        for matcher in &selector.matchers.matchers {
            ensure!(labels.contains(&matcher.name), "{name} has no label {}", matcher.name);
            for value in values(matcher) {
                let possible = possible(name, matcher, exposition);
                ensure!(
                    possible.as_ref().is_none_or(|possible| possible.contains(value)),
                    "{name}: {matcher} can never be; there are {possible:?}"
                );
            }
        }
        Ok(labels)
    }

    fn aggregated(&self, aggregate: &AggregateExpr) -> Result<BTreeSet<String>> {
        let inner = self.labels(&aggregate.expr)?.context("an aggregate of a scalar")?;
        let Some(modifier) = &aggregate.modifier else {
            return Ok(BTreeSet::new());
        };
        let named = of_these(&modifier.labels().labels, &inner)?;
        Ok(if modifier.is_include() { named } else { &inner - &named })
    }

    fn called(&self, call: &Call) -> Result<Labels> {
        let args: Vec<Labels> = call
            .args
            .args
            .iter()
            .map(|arg| self.labels(arg))
            .collect::<Result<_>>()?;
        let vector = args.into_iter().flatten().next();
        match call.func.name {
            "absent" | "vector" => Ok(Some(BTreeSet::new())),
            "histogram_quantile" => {
                let mut labels = vector.context("a quantile of a scalar")?;
                ensure!(labels.remove("le"), "a quantile without le");
                Ok(Some(labels))
            }
            _ => Ok(vector),
        }
    }

    fn combined(&self, binary: &BinaryExpr) -> Result<Labels> {
        let (left, right) = (self.labels(&binary.lhs)?, self.labels(&binary.rhs)?);
        let (Some(left), Some(right)) = (&left, &right) else {
            return Ok(left.or(right));
        };
        let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
        let on = match matching {
            Some(on) => {
                of_these(&on.labels().labels, left)?;
                Some(of_these(&on.labels().labels, right)?)
            }
            None => None,
        };
        if binary.op.is_set_operator() {
            return Ok(Some(left.clone()));
        }
        ensure!(on.is_some() || left == right, "{left:?} and {right:?} never meet");
        Ok(Some(on.unwrap_or_else(|| left.clone())))
    }
}

fn of_these(names: &[String], labels: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    for name in names {
        ensure!(labels.contains(name), "no label {name}; there are {labels:?}");
    }
    Ok(names.iter().cloned().collect())
}

/// The values that a matcher names; none for a variable of the dashboard.
fn values(matcher: &Matcher) -> Vec<&str> {
    match &matcher.op {
        _ if matcher.value.starts_with('$') => Vec::new(),
        MatchOp::Equal | MatchOp::NotEqual => vec![&matcher.value],
        MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').collect(),
    }
}

/// The values that a label of ours can have, and of an API server's the name of our webhook; none where that is not known.
fn possible(series: &str, matcher: &Matcher, exposition: &Exposition) -> Option<BTreeSet<String>> {
    if let Some(family) = served::described()
        .into_iter()
        .find(|family| family.series().iter().any(|name| name == series))
    {
        let label = family.labels.iter().find(|label| label.name == matcher.name)?;
        return Some((label.values)().into_iter().map(str::to_owned).collect());
    }
    (matcher.name == "name").then(|| exposition.series[series]["name"].clone())
}

#[test]
fn every_query_is_answered_from_what_is_served() {
    let (Some(ours), Some(api_servers)) = (served::ours(), served::api_servers()) else {
        return;
    };
    let there = There {
        ours,
        api_servers: &api_servers,
    };
    let mut wrong = Vec::new();
    for Query { place, text, told } in queries() {
        let left = parser::parse(&text)
            .map_err(anyhow::Error::msg)
            .and_then(|parsed| there.labels(&parsed)?.context("a scalar"))
            .and_then(|left| of_these(&told, &left));
        if let Err(error) = left {
            wrong.push(format!("{place}: {error:#}\n  {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_query_that_nobody_can_answer_is_found() {
    let mut ours = Exposition::default();
    ours.take("dorgu_admission_unchecked_total{reason=\"panic\"} 1\nb_bucket{le=\"1\",a=\"x\"} 1\n");
    ours.take("dorgu_leader 1\n");
    let mut api_servers = Exposition::default();
    api_servers.take(&format!("apiserver_count{{name=\"{WEBHOOK}\"}} 1\n"));
    let there = There {
        ours: &ours,
        api_servers: &api_servers,
    };
    let judged = |query: &str| -> Result<Labels> { there.labels(&parser::parse(query).map_err(anyhow::Error::msg)?) };
    for (query, left) in [
        (
            "sum by (reason) (rate(dorgu_admission_unchecked_total{reason!~\"panic|overloaded\"}[5m])) > 0",
            "reason",
        ),
        (
            "histogram_quantile(0.9, sum by (le, a) (rate(b_bucket{namespace=~\"$namespace\"}[5m])))",
            "a",
        ),
        (
            "dorgu_leader and on (pod) dorgu_admission_unchecked_total",
            "job namespace pod",
        ),
        (
            "sum(apiserver_count{name=\"validate-deployment.dorgu.io\"}) or vector(0)",
            "",
        ),
    ] {
        let labels = judged(query)
            .unwrap_or_else(|error| panic!("{query}: {error:#}"))
            .expect("a vector");
        assert_eq!(labels.into_iter().collect::<Vec<_>>().join(" "), left, "{query}");
    }
    for (query, said) in [
        ("dorgu_admission_unchecked", "nobody serves"),
        ("dorgu_leader{reason=\"panic\"}", "no label reason"),
        ("dorgu_admission_unchecked_total{reason=\"panics\"}", "can never be"),
        (
            "dorgu_admission_unchecked_total{reason=~\"panic|overload\"}",
            "can never be",
        ),
        (
            "apiserver_count{name=\"validate-deployments.dorgu.io\"}",
            "can never be",
        ),
        ("sum by (kind) (dorgu_leader)", "no label kind"),
        ("histogram_quantile(0.9, sum by (a) (b_bucket))", "without le"),
        (
            "dorgu_leader and on (reason) dorgu_admission_unchecked_total",
            "no label reason",
        ),
        ("dorgu_leader + dorgu_admission_unchecked_total", "never meet"),
        ("sum by (reason (dorgu_leader)", ""),
    ] {
        let error = judged(query).expect_err(query);
        assert!(format!("{error:#}").contains(said), "{query}: {error:#}");
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let dashboard: Value = serde_json::from_str(&read("charts/dorgu-operator/files/dashboard.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 39));
    assert_eq!(
        (&dashboard["uid"], &dashboard["title"]),
        (&"dorgu".into(), &"dorgu".into())
    );
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!(variables[0]["type"], "datasource");
    assert_eq!(variables[1]["query"], "label_values(dorgu_build_info, namespace)");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "a panel's id is used twice");
    let rows: Vec<&str> = panels
        .iter()
        .filter(|panel| panel["type"] == "row")
        .map(|panel| panel["title"].as_str().unwrap())
        .collect();
    let wanted = [
        "Overview",
        "Traffic",
        "Verdicts",
        "Findings",
        "Latency",
        "Failures",
        "Personas and status",
        "Certificates and leadership",
        "Process",
    ];
    assert_eq!(rows, wanted);
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = &panel["title"];
        let place = |of: &str| panel["gridPos"][of].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(
                    x < 24 && taken.insert((x, y)),
                    "{title} lies over another, or beyond the edge"
                );
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            assert!(
                panel["description"].as_str().is_some_and(|text| text.ends_with('.')),
                "{title} says nothing"
            );
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            }
        }
    }
}
