//! Answers probes and `/metrics`, on a listener of their own. The answers have the form of kube-apiserver's, so that tools
//! for kube-apiserver work here; but a failed check also says why. This module knows no check and no metric: callers pass
//! closures.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode, Uri};

/// The content type of `/metrics`.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `Ok` with a note that may be empty, or `Err` with the reason.
type Check = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// Named checks. Every request runs them in the order in which they were added, so a check must be quick and must not wait.
#[derive(Default)]
pub struct Checks(Vec<(&'static str, Check)>);

impl Checks {
    /// No checks: always healthy.
    #[must_use]
    pub fn new() -> Checks {
        Checks::default()
    }

    /// Adds a check. Its error is one line that says what is missing; it is shown to anyone who can reach the probe.
    #[must_use]
    pub fn with(self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Checks {
        self.with_note(name, move || check().map(|()| String::new()))
    }

    /// Adds a check that also reports something when it passes: one line, shown after its `ok`.
    #[must_use]
    pub fn with_note(
        mut self,
        name: &'static str,
        check: impl Fn() -> Result<String, String> + Send + Sync + 'static,
    ) -> Checks {
        self.0.push((name, Box::new(check)));
        self
    }

    /// These checks, then those of `other`.
    #[must_use]
    pub fn and(mut self, other: Checks) -> Checks {
        self.0.extend(other.0);
        self
    }

    /// Runs the checks that are not excluded.
    fn report(&self, probe: &str, query: &Query<'_>) -> Report {
        let mut failed = false;
        let mut text = String::new();
        let mut unknown = query.excluded.clone();
        for (name, check) in &self.0 {
            unknown.remove(name);
            // Writing to a string does not fail.
            let _ = if query.excluded.contains(name) {
                writeln!(text, "[+]{name} excluded: ok")
            } else {
                match check() {
                    Ok(note) if note.is_empty() => writeln!(text, "[+]{name} ok"),
                    Ok(note) => writeln!(text, "[+]{name} ok: {}", one_line(&note)),
                    Err(reason) => {
                        failed = true;
                        writeln!(text, "[-]{name} failed: {}", one_line(&reason))
                    }
                }
            };
        }
        let mut unknown: Vec<_> = unknown.into_iter().collect();
        unknown.sort_unstable();
        for name in unknown {
            let _ = writeln!(text, "warn: no check is named {name:?}, so none was excluded");
        }
        let _ = writeln!(text, "{probe} check {}", if failed { "failed" } else { "passed" });
        Report { failed, text }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

struct Report {
    failed: bool,
    text: String,
}

/// The query of a probe: `?verbose` and any number of `exclude=name`.
#[derive(Debug, Default)]
struct Query<'a> {
    verbose: bool,
    excluded: HashSet<&'a str>,
}

impl<'a> Query<'a> {
    fn parse(query: &'a str) -> Query<'a> {
        let mut parsed = Query::default();
        for pair in query.split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("verbose", _) => parsed.verbose = true,
                ("exclude", name) if !name.is_empty() => {
                    parsed.excluded.insert(name);
                }
                _ => {}
            }
        }
        parsed
    }
}

/// `/livez` and `/healthz` answer from `live`, `/readyz` from `ready`: 200 `ok`, or 503 and a line for each check. With
/// `?verbose` the lines are also sent when every check passes; `?exclude=name` leaves a check out.
///
/// `/healthz` is liveness because upstream's chart probes liveness there.
pub fn probes(live: Checks, ready: Checks) -> Router {
    let live = Arc::new(live);
    Router::new()
        .route("/livez", probe("livez", Arc::clone(&live)))
        .route("/healthz", probe("healthz", live))
        .route("/readyz", probe("readyz", Arc::new(ready)))
}

fn probe(name: &'static str, checks: Arc<Checks>) -> axum::routing::MethodRouter {
    get(move |uri: Uri| {
        let query = Query::parse(uri.query().unwrap_or_default());
        let report = checks.report(name, &query);
        let (status, text) = match (report.failed, query.verbose) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, report.text),
            (false, true) => (StatusCode::OK, report.text),
            (false, false) => (StatusCode::OK, "ok".to_owned()),
        };
        std::future::ready(answer(
            status,
            HeaderValue::from_static("text/plain; charset=utf-8"),
            text,
        ))
    })
}

/// `/metrics`: the text that `exposition` returns, as OpenMetrics.
pub fn metrics(exposition: impl Fn() -> String + Send + Sync + 'static) -> Router {
    let exposition = Arc::new(exposition);
    Router::new().route(
        "/metrics",
        get(move || {
            std::future::ready(answer(
                StatusCode::OK,
                HeaderValue::from_static(OPENMETRICS),
                exposition(),
            ))
        }),
    )
}

fn answer(status: StatusCode, content_type: HeaderValue, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests;
