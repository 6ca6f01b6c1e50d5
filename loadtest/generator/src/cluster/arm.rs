//! One way of reviewing a Deployment: none, a policy in the API server, or a webhook. Each has a namespace of its own, so that
//! all are registered at once and the request's path selects one.

use std::rc::Rc;
use std::str::FromStr;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::reported::Reported;
use super::{Client, until};
use crate::connection::Answer;
use crate::payloads::{PER_NAMESPACE, SHAPES, Variant, app, namespace, review};

/// By this label of a namespace an arm is chosen.
pub const LABEL: &str = "loadtest.dorgu.io/arm";

/// One of them, as it stands on the command line.
#[derive(Clone, Debug)]
pub struct Arm {
    pub name: String,
    /// It denies what its persona forbids, and warns of what the persona advises against. Otherwise it allows everything.
    pub judges: bool,
    /// The webhook's process.
    pub pid: Option<u32>,
    /// The webhook's name in its configuration, as in the API server's metrics.
    pub webhook: Option<String>,
    /// For how many personas of its namespace Deployments are sent.
    pub apps: usize,
}

impl FromStr for Arm {
    type Err = String;

    /// `NAME`, then any of `,judges`, `,pid=PID`, `,webhook=NAME`, `,apps=COUNT`.
    fn from_str(text: &str) -> Result<Arm, String> {
        let mut parts = text.split(',');
        let mut arm = Arm {
            name: parts.next().unwrap_or_default().to_owned(),
            judges: false,
            pid: None,
            webhook: None,
            apps: PER_NAMESPACE,
        };
        for part in parts {
            match part.split_once('=') {
                None if part == "judges" => arm.judges = true,
                Some(("pid", pid)) => arm.pid = Some(pid.parse().map_err(|_| format!("'{pid}' is not a process id"))?),
                Some(("webhook", name)) => arm.webhook = Some(name.to_owned()),
                Some(("apps", apps)) => {
                    let apps = apps.parse().ok().filter(|apps| (1..=PER_NAMESPACE).contains(apps));
                    arm.apps = apps.ok_or_else(|| format!("'{part}' is not apps=1 to apps={PER_NAMESPACE}"))?;
                }
                _ => return Err(format!("'{part}' is not one of judges, pid=PID, webhook=NAME, apps=COUNT")),
            }
        }
        Ok(arm)
    }
}

impl Arm {
    /// The requests of the arm with that position: Deployments for the first personas of its namespace, or for all of them.
    pub fn requests(&self, position: usize, variant: Variant, client: &Client) -> anyhow::Result<Rc<[Vec<u8>]>> {
        let first = position * PER_NAMESPACE;
        (first..first + self.apps)
            .map(|number| {
                let path = format!(
                    "/apis/apps/v1/namespaces/{}/deployments?dryRun=All&fieldManager=kubectl-client-side-apply",
                    namespace(number)
                );
                Ok(client.post(&path, "application/json", &deployment(number, variant)?))
            })
            .collect()
    }

    /// Waits until the API server has read this arm's registration and it does what it is there for.
    pub async fn ready(&self, position: usize, client: &Client) -> anyhow::Result<()> {
        if self.judges {
            self.answers(position, Variant::Breach, Answer::Denied, client).await?;
            self.answers(position, Variant::Warning, Answer::Warned, client).await?;
        }
        if let Some(webhook) = &self.webhook {
            let what = format!("{} is asked", self.name);
            until(&what, || async {
                self.ask(position, Variant::Compliant, client).await?;
                let calls = Reported::ask(client).await?.webhook(webhook).calls;
                Ok(if calls > 0.0 { Ok(()) } else { Err("never".to_owned()) })
            })
            .await?;
        }
        self.answers(position, Variant::Compliant, Answer::Allowed, client)
            .await
    }

    async fn answers(&self, position: usize, variant: Variant, wanted: Answer, client: &Client) -> anyhow::Result<()> {
        let what = format!("{} answers {wanted:?} to {}", self.name, variant.name());
        until(&what, || async {
            let answer = self.ask(position, variant, client).await?;
            Ok(if answer == wanted {
                Ok(())
            } else {
                Err(format!("{answer:?}"))
            })
        })
        .await
    }

    async fn ask(&self, position: usize, variant: Variant, client: &Client) -> anyhow::Result<Answer> {
        let requests = self.requests(position, variant, client)?;
        let request = requests.first().context("a namespace without personas")?;
        client.connect().await?.create(request).await
    }
}

/// What a client would send: the 9.5 KB review's object, without what the API server adds.
fn deployment(number: usize, variant: Variant) -> anyhow::Result<String> {
    let mut review: Value = serde_json::from_str(&review(SHAPES[0], variant, number))?;
    let mut object = review["request"]["object"].take();
    let metadata = object["metadata"]
        .as_object_mut()
        .context("an object without metadata")?;
    for made in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
    ] {
        ensure!(metadata.remove(made).is_some(), "{} has no {made}", app(number));
    }
    object.as_object_mut().context("not an object")?.remove("status");
    Ok(object.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_is_read_as_it_is_written() -> Result<(), String> {
        let arm: Arm = "dorgu,judges,pid=17,webhook=validate-deployment.dorgu.io".parse()?;
        assert_eq!((arm.name.as_str(), arm.judges, arm.pid), ("dorgu", true, Some(17)));
        assert_eq!(arm.webhook.as_deref(), Some("validate-deployment.dorgu.io"));
        assert_eq!(arm.apps, PER_NAMESPACE);
        let arm: Arm = "policies-20,judges,apps=1".parse()?;
        assert_eq!((arm.judges, arm.apps), (true, 1));
        assert!("policies-20,apps=0".parse::<Arm>().is_err());
        assert!("dorgu,pid=many".parse::<Arm>().is_err());
        assert!("dorgu,judge".parse::<Arm>().is_err());
        Ok(())
    }

    #[test]
    fn a_client_does_not_send_what_the_api_server_makes() -> anyhow::Result<()> {
        let object: Value = serde_json::from_str(&deployment(41, Variant::Compliant)?)?;
        assert_eq!(object["metadata"]["namespace"], "team-0002");
        assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/name"], "app-000041");
        assert!(object["metadata"]["managedFields"].is_null());
        assert_eq!(object["spec"]["replicas"], 3);
        Ok(())
    }
}
