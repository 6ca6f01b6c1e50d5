//! Conflicting values, and the message that a user gets.

use super::{NAMESPACE, template};
use crate::bed::Helm;

/// What is set, and what has to stand in the answer: where, and what would be right or why it is wrong.
const BY_THE_SCHEMA: &[(&str, &[&str])] = &[
    ("webhook.mode=Enforcing", &["/webhook/mode", "'advisory', 'enforcing'"]),
    ("webhook.rules=all", &["/webhook/rules", "'complete', 'upstream'"]),
    (
        "webhook.ruleLevels.cpu-limit-missing=refuse",
        &["/webhook/ruleLevels/cpu-limit-missing", "'deny'"],
    ),
    (
        "webhook.ruleLevels.cpu-limit=deny",
        &["/webhook/ruleLevels", "'cpu-limit' not allowed"],
    ),
    ("webhook.lockedRules[0]=run-as-root", &["/webhook/lockedRules/0"]),
    ("webhook.docsUrl=rules.md", &["/webhook/docsUrl", "'rules.md'"]),
    ("webhook.match=name", &["/webhook/match", "'label', 'chain'"]),
    (
        "webhook.failurePolicy=ignore",
        &["/webhook/failurePolicy", "'Ignore', 'Fail'"],
    ),
    ("webhook.port=0", &["/webhook/port", "minimum", "1"]),
    ("webhook.port=65536", &["/webhook/port", "maximum", "65,535"]),
    ("webhook.port=https", &["/webhook/port", "want integer"]),
    ("webhook.timeoutSeconds=31", &["/webhook/timeoutSeconds", "30"]),
    ("webhook.shutdownDelay=ten", &["/webhook/shutdownDelay", "'ten'"]),
    ("webhook.enabled=yes", &["/webhook/enabled", "want boolean"]),
    ("webhook.enable=true", &["/webhook", "'enable' not allowed"]),
    ("replicaCount=-1", &["/replicaCount", "minimum", "0"]),
    ("replicaCount=1.5", &["/replicaCount", "want integer"]),
    ("replicaCount=many", &["/replicaCount", "want integer"]),
    ("replicas=2", &["'replicas' not allowed"]),
    (
        "podDisruptionBudget.minAvailable=150%",
        &["/podDisruptionBudget/minAvailable", "'150%'"],
    ),
    (
        "podDisruptionBudget.minAvailable=half",
        &["/podDisruptionBudget/minAvailable", "'half'"],
    ),
    (
        "podDisruptionBudget.unhealthyPodEvictionPolicy=Never",
        &["'AlwaysAllow', 'IfHealthyBudget'"],
    ),
    ("image.pullPolicy=always", &["/image/pullPolicy", "'Always'"]),
    ("image.repository=", &["/image/repository"]),
    (
        "image.repository=team/dorgu:1",
        &["/image/repository", "'team/dorgu:1'"],
    ),
    (
        "image.repository=dorgu@sha256:0a",
        &["/image/repository", "'dorgu@sha256:0a'"],
    ),
    (
        "image.registry=https://registry.example.com",
        &["/image/registry", "'https://registry.example.com'"],
    ),
    (
        "image.registry=registry.example.com/",
        &["/image/registry", "'registry.example.com/'"],
    ),
    ("image.digest=latest", &["/image/digest", "'latest'"]),
    ("imagePullSecrets[0]=registry", &["/imagePullSecrets/0", "want object"]),
    ("metrics.bindAddress=8443", &["/metrics/bindAddress"]),
    ("healthProbe.bindAddress=0", &["/healthProbe/bindAddress"]),
    ("metrics.readers[0].kind=Pod", &["/metrics/readers/0"]),
    (
        "prometheus.url=prometheus:9090",
        &["/prometheus/url", "'prometheus:9090'"],
    ),
    (
        "websocket.service.type=External",
        &["/websocket/service/type", "'ClusterIP'"],
    ),
    (
        "metrics.prometheusRule.runbookUrl=docs/runbooks.md",
        &["/metrics/prometheusRule/runbookUrl", "'docs/runbooks.md'"],
    ),
    ("logging.level=trace", &["/logging/level", "'error', 'info', 'debug'"]),
    (
        "topologySpreadConstraints[0].topologyKey=zone",
        &["/topologySpreadConstraints/0", "maxSkew"],
    ),
    ("nameOverride=Guard", &["/nameOverride", "'Guard'"]),
    ("nameOverride=a.guard", &["/nameOverride", "'a.guard'"]),
    ("fullnameOverride=Guard", &["/fullnameOverride", "'Guard'"]),
    ("nodeSelector.disk=1", &["/nodeSelector/disk", "want string"]),
];

/// Likewise, of values that are right one by one.
const TOGETHER: &[(&str, &str)] = &[
    (
        "replicaCount=2,leaderElection.enabled=false",
        "replicaCount: several pods would write against each other; set leaderElection.enabled, or ask for one",
    ),
    (
        "autoscaling.enabled=true,leaderElection.enabled=false",
        "replicaCount: several pods would write against each other; set leaderElection.enabled, or ask for one",
    ),
    (
        "autoscaling.enabled=true,autoscaling.minReplicas=9",
        "autoscaling.minReplicas: 9 is more than maxReplicas, 6",
    ),
    (
        "autoscaling.enabled=true,autoscaling.targetCPUUtilizationPercentage=",
        "autoscaling: nothing to go by; set targetCPUUtilizationPercentage or targetMemoryUtilizationPercentage",
    ),
    (
        "podDisruptionBudget.maxUnavailable=1",
        r#"podDisruptionBudget: minAvailable and maxUnavailable exclude each other; set one of them to """#,
    ),
    (
        "podDisruptionBudget.minAvailable=",
        "podDisruptionBudget: set minAvailable or maxUnavailable, or enabled to false",
    ),
    (
        "replicaCount=2,podDisruptionBudget.minAvailable=2",
        "podDisruptionBudget.minAvailable: 2 of 2 pods must stay, so no node with one could be drained; ask for fewer, or raise replicaCount",
    ),
    (
        "autoscaling.enabled=true,podDisruptionBudget.minAvailable=3",
        "podDisruptionBudget.minAvailable: 3 of 2 pods must stay, so no node with one could be drained; ask for fewer, or raise autoscaling.minReplicas",
    ),
    (
        "webhook.enabled=true,webhook.shutdownDelay=0.5m",
        "webhook.shutdownDelay: 0.5m does not end before a pod is killed, after 30s; shorten it, or raise terminationGracePeriodSeconds",
    ),
    (
        "webhook.enabled=true,terminationGracePeriodSeconds=10",
        "webhook.shutdownDelay: 10s does not end before a pod is killed, after 10s; shorten it, or raise terminationGracePeriodSeconds",
    ),
    (
        "webhook.requireLabel=true,webhook.match=chain",
        "webhook.requireLabel: with webhook.match chain personas also govern Deployments without the label; set match to label, or this to false",
    ),
    (
        "validation.requeueInterval=0s",
        "validation.requeueInterval: 0s is too short; the least is 1s",
    ),
    (
        "validation.requeueInterval=500ms",
        "validation.requeueInterval: 500ms is too short; the least is 1s",
    ),
    (
        "webhook.existingSecret=mine,webhook.certManager.enabled=true",
        "webhook.existingSecret: cert-manager is to make the certificate (webhook.certManager.enabled); choose one of the two",
    ),
    (
        "webhook.existingSecret=dorgu-operator-webhook-ca",
        "webhook.existingSecret: dorgu-operator-webhook-ca is the process' own; leave this empty to have it made",
    ),
    (
        "webhook.caBundle=-----BEGIN CERTIFICATE-----",
        "webhook.caBundle: the process keeps it itself; set it only beside webhook.existingSecret or webhook.certManager",
    ),
    (
        "webhook.clientVerification.enabled=true",
        "webhook.clientVerification.configMap: name the ConfigMap with the authority that signs API servers' client certificates",
    ),
    (
        "prometheus.enabled=true",
        "prometheus.url: say where it is, such as http://prometheus.monitoring:9090",
    ),
    (
        "metrics.enabled=false,metrics.serviceMonitor.enabled=true",
        "metrics.enabled: a monitor would find nothing to scrape",
    ),
    (
        "metrics.podMonitor.enabled=true,metrics.serviceMonitor.enabled=true",
        "metrics.podMonitor: with metrics.serviceMonitor every pod would be scraped twice; enable one of them",
    ),
    (
        "webhook.enabled=true,webhook.port=8443",
        "metrics.bindAddress, webhook.port: port 8443 is asked for more than once",
    ),
    (
        "metrics.bindAddress=:70000",
        "metrics.bindAddress: there is no port 70000",
    ),
    (
        "healthProbe.bindAddress=127.0.0.1:8081",
        "healthProbe.bindAddress: a kubelet cannot reach 127.0.0.1:8081; leave the host out, as in :8081",
    ),
    (
        "healthProbe.bindAddress=localhost:8081",
        "healthProbe.bindAddress: a kubelet cannot reach localhost:8081; leave the host out, as in :8081",
    ),
    (
        "healthProbe.bindAddress=[::1]:8081",
        "healthProbe.bindAddress: a kubelet cannot reach [::1]:8081; leave the host out, as in :8081",
    ),
    (
        "healthProbe.bindAddress=:0",
        "healthProbe.bindAddress: there is no port 0",
    ),
];

fn refusal(helm: &Helm, set: &str) -> String {
    let rendered = template(helm, NAMESPACE, &["--set", set]);
    assert!(rendered.stdout.is_empty(), "{rendered}");
    rendered.expect_failure()
}

#[test]
fn the_schema_refuses_what_no_value_can_be_and_says_where() {
    let Some(helm) = Helm::find() else { return };
    for (set, parts) in BY_THE_SCHEMA {
        let said = refusal(&helm, set);
        for part in *parts {
            assert!(said.contains(part), "{set}: '{part}' is not in: {said}");
        }
    }
}

#[test]
fn values_that_make_no_sense_together_are_refused_with_what_to_do() {
    let Some(helm) = Helm::find() else { return };
    for (set, line) in TOGETHER {
        let said = refusal(&helm, set);
        assert!(said.lines().any(|said| said == format!("- {line}")), "{set}: {said}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let Some(helm) = Helm::find() else { return };
    let said = refusal(
        &helm,
        "replicaCount=2,leaderElection.enabled=false,prometheus.enabled=true",
    );
    assert_eq!(said.lines().filter(|line| line.starts_with("- ")).count(), 2, "{said}");
}

#[test]
fn what_lies_just_beside_a_refusal_is_rendered() {
    let Some(helm) = Helm::find() else { return };
    for set in [
        "nameOverride=gate",
        "image.registry=registry.example.com:5000/mirror",
        "image.repository=localhost:5000/team/dorgu",
        "validation.requeueInterval=1000ms",
        "replicaCount=3,podDisruptionBudget.minAvailable=2",
        // One pod has no budget.
        "podDisruptionBudget.minAvailable=2",
        "replicaCount=2,podDisruptionBudget.minAvailable=2,podDisruptionBudget.enabled=false",
        "webhook.enabled=true,webhook.shutdownDelay=29.5s",
        // Nothing is served, so nothing is waited for.
        "webhook.shutdownDelay=30s",
        "healthProbe.bindAddress=0.0.0.0:8081",
    ] {
        let rendered = template(&helm, NAMESPACE, &["--set", set]);
        assert!(rendered.succeeded(), "{set}: {rendered}");
    }
}

#[test]
fn an_older_kubernetes_is_refused() {
    let Some(helm) = Helm::find() else { return };
    template(&helm, NAMESPACE, &["--kube-version", "v1.32.0"]).expect_success();
    // As managed clusters call themselves.
    template(&helm, NAMESPACE, &["--kube-version", "v1.33.4-gke.1134000"]).expect_success();
    let said = template(&helm, NAMESPACE, &["--kube-version", "v1.31.9"]).expect_failure();
    assert!(said.contains(">=1.32.0-0"), "{said}");
}

#[test]
fn a_chart_that_holds_ours_may_give_it_what_helm_gives_to_all() {
    let Some(helm) = Helm::find() else { return };
    template(
        &helm,
        NAMESPACE,
        &["--set", "global.imageRegistry=registry.example.com"],
    )
    .expect_success();
}
