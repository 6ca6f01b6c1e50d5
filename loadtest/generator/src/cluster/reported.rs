//! The API server's own metrics about the webhooks and policies it called.

use serde::Serialize;

use super::Client;

const CALLS: &str = "apiserver_admission_webhook_admission_duration_seconds_count";
const SECONDS: &str = "apiserver_admission_webhook_admission_duration_seconds_sum";
const FAILED_OPEN: &str = "apiserver_admission_webhook_fail_open_count";

/// Its metrics at one moment.
pub struct Reported(String);

/// Of one webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Calls {
    pub calls: f64,
    /// How long they took together.
    pub seconds: f64,
    /// How many of them failed, so that the object went in unseen.
    pub failed_open: f64,
}

impl Calls {
    /// What has come since.
    pub fn since(self, before: Calls) -> Calls {
        Calls {
            calls: self.calls - before.calls,
            seconds: self.seconds - before.seconds,
            failed_open: self.failed_open - before.failed_open,
        }
    }
}

impl Reported {
    pub async fn ask(client: &Client) -> anyhow::Result<Reported> {
        Ok(Reported(client.get("/metrics").await?))
    }

    /// Of the webhook with that name.
    pub fn webhook(&self, name: &str) -> Calls {
        let label = format!("name=\"{name}\"");
        Calls {
            calls: self.sum(CALLS, &label),
            seconds: self.sum(SECONDS, &label),
            failed_open: self.sum(FAILED_OPEN, &label),
        }
    }

    /// All series of a metric that have this label, together.
    fn sum(&self, metric: &str, label: &str) -> f64 {
        let values = self.0.lines().filter_map(|line| {
            let (labels, value) = line.strip_prefix(metric)?.strip_prefix('{')?.rsplit_once("} ")?;
            let labelled = labels.split(',').any(|one| one == label);
            labelled.then(|| value.parse::<f64>().ok()).flatten()
        });
        values.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_of_one_webhook_are_added() {
        let reported = Reported(format!(
            "# HELP {CALLS} how many\n{CALLS}{{name=\"a\",operation=\"CREATE\"}} 3\n{CALLS}{{name=\"a\",operation=\"UPDATE\"}} 4\n\
             {CALLS}{{name=\"ab\",operation=\"CREATE\"}} 50\n{SECONDS}{{name=\"a\",operation=\"CREATE\"}} 0.25\n\
             {FAILED_OPEN}{{name=\"a\",type=\"validating\"}} 1\n"
        ));
        let calls = reported.webhook("a");
        let wanted = Calls {
            calls: 7.0,
            seconds: 0.25,
            failed_open: 1.0,
        };
        assert_eq!(calls, wanted);
        assert_eq!(calls.since(wanted), Calls::default());
        assert_eq!(reported.webhook("c"), Calls::default());
    }
}
