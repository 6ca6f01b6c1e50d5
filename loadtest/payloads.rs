//! Generates AdmissionReviews and personas as in a cluster, from a seed. The same number gives the same bytes on every machine,
//! so that no folder of recorded files has to be trusted.
//!
//! The bytes are written as an API server writes them: Go's order of fields, `managedFields` with its escaped keys, kubectl's
//! last-applied annotation. Benches, the allocation test and the load test share this file (by `#[path]`). It uses the standard
//! library only.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by several programs, none of which uses all of it"
)]

use std::fmt::Write;

/// What is in a review besides the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What it is called in reports.
    pub name: &'static str,
    /// `UPDATE` carries the stored object, too.
    pub update: bool,
    /// App containers.
    pub containers: usize,
    /// Environment variables of each.
    pub env: usize,
    /// Bytes of one review, the compliant one of seed 0.
    pub bytes: usize,
    /// How long the values of the environment are.
    value: usize,
}

/// The sizes that are measured: a small service, its update, one with sidecars, and a very large one.
pub const SHAPES: [Shape; 4] = [
    Shape {
        name: "create-9k",
        update: false,
        containers: 1,
        env: 6,
        bytes: 9_544,
        value: 38,
    },
    Shape {
        name: "update-20k",
        update: true,
        containers: 1,
        env: 6,
        bytes: 20_577,
        value: 38,
    },
    Shape {
        name: "update-54k",
        update: true,
        containers: 3,
        env: 18,
        bytes: 53_643,
        value: 17,
    },
    Shape {
        name: "update-230k",
        update: true,
        containers: 10,
        env: 34,
        bytes: 229_793,
        value: 25,
    },
];

/// How the Deployment stands to its persona.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As the persona wants it.
    Compliant,
    /// Three warnings: a CPU limit above the persona's, no readiness probe, a writable root filesystem.
    Warning,
    /// Three errors: too few replicas, privilege escalation, a root user.
    Breach,
    /// No persona has its name.
    Miss,
}

/// All variants.
pub const VARIANTS: [Variant; 4] = [Variant::Compliant, Variant::Warning, Variant::Breach, Variant::Miss];

impl Variant {
    /// What it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Compliant => "compliant",
            Variant::Warning => "warning",
            Variant::Breach => "breach",
            Variant::Miss => "miss",
        }
    }
}

/// How many personas share a namespace.
pub const PER_NAMESPACE: usize = 20;

/// Name of the app with that number, and of its persona.
pub fn app(number: usize) -> String {
    format!("app-{number:06}")
}

/// Its namespace.
pub fn namespace(number: usize) -> String {
    format!("team-{:04}", number / PER_NAMESPACE)
}

/// Persona `number` as a YAML document; all of them want the same.
pub fn persona(number: usize) -> String {
    let (name, namespace) = (app(number), namespace(number));
    format!(
        "apiVersion: dorgu.io/v1
kind: ApplicationPersona
metadata:
  name: {name}
  namespace: {namespace}
spec:
  name: {name}
  type: api
  tier: standard
  ownership:
    team: {namespace}
    oncall: \"#{namespace}-oncall\"
  resources:
    requests: {{cpu: 100m, memory: 128Mi}}
    limits: {{cpu: 500m, memory: 512Mi}}
  scaling:
    minReplicas: 2
    maxReplicas: 6
  health:
    livenessPath: /live
    readinessPath: /ready
    port: 8080
  policies:
    security:
      runAsNonRoot: true
      readOnlyRootFilesystem: true
      allowPrivilegeEscalation: false
"
    )
}

/// One review about app `number`, as the body of a request.
pub fn review(shape: Shape, variant: Variant, number: usize) -> String {
    let mut seed = Seed::of(number, shape, variant);
    let object = Object {
        shape,
        variant,
        number,
        token: seed.next(),
    };
    let new = object.write(&mut seed);
    let old = if shape.update {
        let before = Object {
            variant: if variant == Variant::Miss {
                variant
            } else {
                Variant::Compliant
            },
            ..object
        };
        before.write(&mut seed)
    } else {
        "null".to_owned()
    };
    let (uid, app, namespace) = (seed.uuid(), object.app(), namespace(number));
    let (operation, options) = if shape.update {
        ("UPDATE", "UpdateOptions")
    } else {
        ("CREATE", "CreateOptions")
    };
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"{uid}","kind":{{"group":"apps","version":"v1","kind":"Deployment"}},"resource":{{"group":"apps","version":"v1","resource":"deployments"}},"requestKind":{{"group":"apps","version":"v1","kind":"Deployment"}},"requestResource":{{"group":"apps","version":"v1","resource":"deployments"}},"name":"{app}","namespace":"{namespace}","operation":"{operation}","userInfo":{{"username":"system:serviceaccount:{namespace}:deployer","uid":"{user}","groups":["system:serviceaccounts","system:serviceaccounts:{namespace}","system:authenticated"],"extra":{{"authentication.kubernetes.io/pod-name":["deployer-7d9c6b5f4-x2x9k"]}}}},"object":{new},"oldObject":{old},"dryRun":false,"options":{{"kind":"{options}","apiVersion":"meta.k8s.io/v1","fieldManager":"kubectl-client-side-apply","fieldValidation":"Strict"}}}}}}"#,
        user = seed.uuid(),
    )
}

/// A short number for a text, to see that it is the same elsewhere (FNV-1a, 64 bits).
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// One Deployment.
#[derive(Clone, Copy)]
struct Object {
    shape: Shape,
    variant: Variant,
    number: usize,
    token: u64,
}

impl Object {
    fn app(&self) -> String {
        match self.variant {
            Variant::Miss => format!("stray-{:06}", self.number),
            _ => app(self.number),
        }
    }

    fn write(&self, seed: &mut Seed) -> String {
        let (app, namespace) = (self.app(), namespace(self.number));
        let spec = self.spec();
        let applied = format!(
            r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"annotations":{{}},"labels":{{"app.kubernetes.io/name":"{app}"}},"name":"{app}","namespace":"{namespace}"}},"spec":{spec}}}"#
        );
        let applied = applied.replace('\\', "\\\\").replace('"', "\\\"");
        let mut managers = self.manager("kubectl-client-side-apply", seed);
        let mut status = "{}".to_owned();
        if self.shape.update {
            managers.push(',');
            managers.push_str(STATUS_MANAGER);
            status = STATUS.to_owned();
        }
        format!(
            r#"{{"kind":"Deployment","apiVersion":"apps/v1","metadata":{{"name":"{app}","namespace":"{namespace}","uid":"{uid}","resourceVersion":"{version}","generation":4,"creationTimestamp":"2026-03-01T08:15:00Z","labels":{{"app.kubernetes.io/name":"{app}","app.kubernetes.io/part-of":"{namespace}","app.kubernetes.io/managed-by":"kubectl"}},"annotations":{{"deployment.kubernetes.io/revision":"4","kubectl.kubernetes.io/last-applied-configuration":"{applied}\n"}},"managedFields":[{managers}]}},"spec":{spec},"status":{status}}}"#,
            uid = seed.uuid(),
            version = 10_000 + self.number,
        )
    }

    fn spec(&self) -> String {
        let app = self.app();
        let replicas = if self.variant == Variant::Breach { 1 } else { 3 };
        let containers: Vec<String> = (0..self.shape.containers)
            .map(|position| self.container(position))
            .collect();
        let containers = containers.join(",");
        let security = match self.variant {
            Variant::Breach => r#"{"runAsUser":0,"fsGroup":2000}"#,
            _ => r#"{"runAsNonRoot":true,"runAsUser":10001,"fsGroup":2000,"seccompProfile":{"type":"RuntimeDefault"}}"#,
        };
        format!(
            r#"{{"replicas":{replicas},"selector":{{"matchLabels":{{"app.kubernetes.io/name":"{app}"}}}},"template":{{"metadata":{{"creationTimestamp":null,"labels":{{"app.kubernetes.io/name":"{app}"}}}},"spec":{{"volumes":[{{"name":"tmp","emptyDir":{{}}}},{{"name":"config","configMap":{{"name":"{app}-config","defaultMode":420}}}}],"containers":[{containers}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"{app}","serviceAccount":"{app}","securityContext":{security},"schedulerName":"default-scheduler","topologySpreadConstraints":[{{"maxSkew":1,"topologyKey":"topology.kubernetes.io/zone","whenUnsatisfiable":"ScheduleAnyway","labelSelector":{{"matchLabels":{{"app.kubernetes.io/name":"{app}"}}}}}}]}}}},"strategy":{{"type":"RollingUpdate","rollingUpdate":{{"maxUnavailable":"25%","maxSurge":"25%"}}}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600}}"#
        )
    }

    fn container(&self, position: usize) -> String {
        let mut env = String::new();
        for index in 0..self.shape.env {
            let comma = if index == 0 { "" } else { "," };
            let name = variable(index);
            // Each third one comes from a Secret, as passwords do.
            if index % 3 == 2 {
                let key = name.to_lowercase();
                put(
                    &mut env,
                    format_args!(
                        r#"{comma}{{"name":"{name}","valueFrom":{{"secretKeyRef":{{"name":"{}-secrets","key":"{key}"}}}}}}"#,
                        self.app()
                    ),
                );
            } else {
                let mut words = Seed(self.token ^ (position * 1000 + index) as u64);
                let value = words.letters(self.shape.value);
                put(
                    &mut env,
                    format_args!(r#"{comma}{{"name":"{name}","value":"{value}"}}"#),
                );
            }
        }
        // A warning and a violation of the same container, as is usual.
        let odd = position == 0;
        let name = container(position);
        let limit = if odd && self.variant == Variant::Warning {
            "2"
        } else {
            "500m"
        };
        let readiness = match self.variant {
            Variant::Warning if odd => "",
            _ => {
                r#""readinessProbe":{"httpGet":{"path":"/ready","port":8080,"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},"#
            }
        };
        let escalation = odd && self.variant == Variant::Breach;
        let read_only = !(odd && self.variant == Variant::Warning);
        let token = Seed(self.token ^ position as u64).next();
        format!(
            r#"{{"name":"{name}","image":"registry.example.com/platform/{name}@sha256:{token:016x}{token:016x}","ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],"env":[{env}],"resources":{{"limits":{{"cpu":"{limit}","memory":"512Mi"}},"requests":{{"cpu":"100m","memory":"128Mi"}}}},"volumeMounts":[{{"name":"tmp","mountPath":"/tmp"}},{{"name":"config","readOnly":true,"mountPath":"/etc/config"}}],"livenessProbe":{{"httpGet":{{"path":"/live","port":8080,"scheme":"HTTP"}},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},{readiness}"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{{"capabilities":{{"drop":["ALL"]}},"readOnlyRootFilesystem":{read_only},"allowPrivilegeEscalation":{escalation}}}}}"#
        )
    }

    /// An entry of `managedFields` that owns the whole spec.
    fn manager(&self, name: &str, seed: &mut Seed) -> String {
        let mut containers = String::new();
        for position in 0..self.shape.containers {
            let comma = if position == 0 { "" } else { "," };
            let mut env = String::from("\".\":{}");
            for index in 0..self.shape.env {
                let value = if index % 3 == 2 {
                    r#""f:valueFrom":{".":{},"f:secretKeyRef":{}}"#
                } else {
                    r#""f:value":{}"#
                };
                put(
                    &mut env,
                    format_args!(
                        r#","k:{{\"name\":\"{}\"}}":{{".":{{}},"f:name":{{}},{value}}}"#,
                        variable(index)
                    ),
                );
            }
            put(
                &mut containers,
                format_args!(
                    r#"{comma}"k:{{\"name\":\"{name}\"}}":{{".":{{}},"f:env":{{{env}}},{CONTAINER_FIELDS}}}"#,
                    name = container(position)
                ),
            );
        }
        format!(
            r#"{{"manager":"{name}","operation":"Update","apiVersion":"apps/v1","time":"2026-03-01T08:{:02}:00Z","fieldsType":"FieldsV1","fieldsV1":{{{METADATA_FIELDS},"f:spec":{{{SPEC_FIELDS},"f:template":{{"f:metadata":{{"f:labels":{{".":{{}},"f:app.kubernetes.io/name":{{}}}}}},"f:spec":{{"f:containers":{{{containers}}},{POD_FIELDS}}}}}}}}}}}"#,
            seed.next() % 60,
        )
    }
}

fn put(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = text.write_fmt(words);
}

fn container(position: usize) -> String {
    if position == 0 {
        "api".to_owned()
    } else {
        format!("sidecar-{position}")
    }
}

fn variable(index: usize) -> String {
    const WORDS: [&str; 8] = [
        "DATABASE_URL",
        "CACHE_URL",
        "API_TOKEN",
        "LOG_LEVEL",
        "QUEUE_NAME",
        "DB_PASSWORD",
        "REGION",
        "FEATURES",
    ];
    let word = WORDS[index % WORDS.len()];
    if index < WORDS.len() {
        word.to_owned()
    } else {
        format!("{word}_{}", index / WORDS.len())
    }
}

const METADATA_FIELDS: &str = r#""f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/last-applied-configuration":{}},"f:labels":{".":{},"f:app.kubernetes.io/managed-by":{},"f:app.kubernetes.io/name":{},"f:app.kubernetes.io/part-of":{}}}"#;
const SPEC_FIELDS: &str = r#""f:progressDeadlineSeconds":{},"f:replicas":{},"f:revisionHistoryLimit":{},"f:selector":{},"f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{},"f:maxUnavailable":{}},"f:type":{}}"#;
const CONTAINER_FIELDS: &str = r#""f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{},"f:successThreshold":{},"f:timeoutSeconds":{}},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:readinessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{},"f:successThreshold":{},"f:timeoutSeconds":{}},"f:resources":{".":{},"f:limits":{".":{},"f:cpu":{},"f:memory":{}},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}},"f:securityContext":{".":{},"f:allowPrivilegeEscalation":{},"f:capabilities":{".":{},"f:drop":{}},"f:readOnlyRootFilesystem":{}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{},"f:volumeMounts":{".":{},"k:{\"mountPath\":\"/etc/config\"}":{".":{},"f:mountPath":{},"f:name":{},"f:readOnly":{}},"k:{\"mountPath\":\"/tmp\"}":{".":{},"f:mountPath":{},"f:name":{}}}"#;
const POD_FIELDS: &str = r#""f:dnsPolicy":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{".":{},"f:fsGroup":{},"f:runAsNonRoot":{},"f:runAsUser":{},"f:seccompProfile":{".":{},"f:type":{}}},"f:serviceAccount":{},"f:serviceAccountName":{},"f:terminationGracePeriodSeconds":{},"f:topologySpreadConstraints":{".":{},"k:{\"topologyKey\":\"topology.kubernetes.io/zone\",\"whenUnsatisfiable\":\"ScheduleAnyway\"}":{".":{},"f:labelSelector":{},"f:maxSkew":{},"f:topologyKey":{},"f:whenUnsatisfiable":{}}},"f:volumes":{".":{},"k:{\"name\":\"config\"}":{".":{},"f:configMap":{".":{},"f:defaultMode":{},"f:name":{}},"f:name":{}},"k:{\"name\":\"tmp\"}":{".":{},"f:emptyDir":{},"f:name":{}}}"#;
const STATUS_MANAGER: &str = r#"{"manager":"kube-controller-manager","operation":"Update","apiVersion":"apps/v1","time":"2026-03-01T08:16:02Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{"f:deployment.kubernetes.io/revision":{}}},"f:status":{"f:availableReplicas":{},"f:conditions":{".":{},"k:{\"type\":\"Available\"}":{".":{},"f:lastTransitionTime":{},"f:lastUpdateTime":{},"f:message":{},"f:reason":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Progressing\"}":{".":{},"f:lastTransitionTime":{},"f:lastUpdateTime":{},"f:message":{},"f:reason":{},"f:status":{},"f:type":{}}},"f:observedGeneration":{},"f:readyReplicas":{},"f:replicas":{},"f:updatedReplicas":{}}},"subresource":"status"}"#;
const STATUS: &str = r#"{"observedGeneration":4,"replicas":3,"updatedReplicas":3,"readyReplicas":3,"availableReplicas":3,"conditions":[{"type":"Available","status":"True","lastUpdateTime":"2026-03-01T08:15:40Z","lastTransitionTime":"2026-03-01T08:15:40Z","reason":"MinimumReplicasAvailable","message":"Deployment has minimum availability."},{"type":"Progressing","status":"True","lastUpdateTime":"2026-03-01T08:16:02Z","lastTransitionTime":"2026-03-01T08:15:00Z","reason":"NewReplicaSetAvailable","message":"ReplicaSet has successfully progressed."}]}"#;

/// A row of numbers that depend on nothing but where it began (splitmix64).
struct Seed(u64);

impl Seed {
    fn of(number: usize, shape: Shape, variant: Variant) -> Seed {
        let mut seed = Seed(fingerprint(shape.name) ^ fingerprint(variant.name()).rotate_left(17));
        seed.0 = seed.0.wrapping_add(number as u64);
        seed
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn letters(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'a' + (self.next() % 26) as u8))
            .collect()
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }
}
