//! Generates Deployments that violate personas: every field that an error can concern, on every level, alone and together,
//! created and updated. An API server accepts nearly all of them.

use serde_json::{Value, json};

pub(crate) const APPS: usize = 12;
const NAME: &str = "app.kubernetes.io/name";
const CAPABILITIES: [&str; 16] = [
    "NET_BIND_SERVICE",
    "SYS_ADMIN",
    "CAP_SYS_ADMIN",
    "ALL",
    "sys_admin",
    "cap_all",
    "SYS_ADM\u{131}N",
    "CHOWN",
    // Each counts as the worst, since no capability is called so; an API server stores them all.
    "A -> removed",
    " SYS_ADMIN\t",
    "say \"ALL\"",
    "back\\slash\\",
    "two\nlines: 1 -> 2",
    "\u{ff33}YS_ADMIN (2 findings)",
    "\u{1f600}",
    "",
];
/// Names of no app, some of which a line has to tell from its own words and from numbers.
const OTHERS: [&str; 5] = ["no-app", "removed", "unset", "true", "42"];
const ACCOUNTS: [&str; 4] = [
    "ContainerUser",
    "ContainerAdministrator",
    "User Manager\\ContainerAdministrator",
    "NT AUTHORITY\\SYSTEM",
];

/// One thing to ask.
pub(crate) struct Question {
    pub(crate) name: String,
    /// The Deployment that is stored before, for updates and Scales.
    pub(crate) stored: Option<Value>,
    /// What is sent: a Deployment or the Scale of one.
    pub(crate) object: Value,
}

impl Question {
    pub(crate) fn is_scale(&self) -> bool {
        self.object["kind"] == "Scale"
    }
}

/// The personas of a namespace: every demand alone, all together, with and without a user, and two of one app.
pub(crate) fn personas(namespace: &str) -> Vec<Value> {
    let persona = |name: String, app: usize, minimum: usize, security: Value| {
        json!({
            "apiVersion": "dorgu.io/v1", "kind": "ApplicationPersona",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "name": app_name(app), "type": "api",
                "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}},
                "scaling": {"minReplicas": minimum, "maxReplicas": 6},
                "policies": {"security": security},
            },
        })
    };
    let mut personas: Vec<Value> = (0..APPS)
        .map(|app| {
            let mut security = json!({
                "runAsNonRoot": app % 4 != 1, "allowPrivilegeEscalation": app % 4 == 2,
                "readOnlyRootFilesystem": app % 2 == 0,
            });
            if app % 3 == 0 {
                security["runAsUser"] = json!(10_001);
            }
            persona(format!("persona-{app}"), app, app % 4, security)
        })
        .collect();
    let other = json!({"runAsNonRoot": true, "allowPrivilegeEscalation": false});
    personas.push(persona("persona-1-too".to_owned(), 1, 3, other));
    personas
}

fn app_name(app: usize) -> String {
    format!("app-{app}")
}

pub(crate) struct Generator {
    random: Random,
    namespace: String,
}

/// What the containers of a pod must agree on, or an API server refuses it.
#[derive(Clone, Copy, PartialEq)]
struct Platform {
    os: Option<&'static str>,
    host_process: bool,
    host_users: bool,
}

impl Generator {
    pub(crate) fn new(seed: u64, namespace: &str) -> Self {
        Generator {
            random: Random(seed),
            namespace: namespace.to_owned(),
        }
    }

    pub(crate) fn question(&mut self, number: u64) -> Question {
        let name = format!("d-{number}");
        let app = usize::try_from(self.random.below(APPS as u64)).unwrap_or_default();
        let platform = self.platform();
        if self.random.one_in(10) {
            let mut stored = self.deployment(&name, app, platform, None);
            stored["spec"]["replicas"] = json!(4);
            let object = json!({
                "apiVersion": "autoscaling/v1", "kind": "Scale",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"replicas": self.random.below(3)},
            });
            return Question {
                name,
                stored: Some(stored),
                object,
            };
        }
        if self.random.one_in(2) {
            let object = self.deployment(&name, app, platform, None);
            return Question {
                name,
                stored: None,
                object,
            };
        }
        let stored = self.deployment(&name, app, platform, None);
        let now = if self.random.one_in(8) {
            self.platform()
        } else {
            platform
        };
        let mut object = self.deployment(&name, app, now, (now == platform).then_some(&stored));
        match self.random.below(10) {
            0 => object["metadata"]["labels"][NAME] = json!(self.random.pick(&OTHERS)),
            1 => object["metadata"]["labels"] = Value::Null,
            2 => object["metadata"]["labels"][NAME] = json!(app_name((app + 1) % APPS)),
            _ => {}
        }
        Question {
            name,
            stored: Some(stored),
            object,
        }
    }

    fn platform(&mut self) -> Platform {
        let os = *self
            .random
            .pick(&[None, None, None, Some("linux"), Some("windows"), Some("windows")]);
        let host_process = os != Some("linux") && self.random.one_in(4);
        Platform {
            os,
            host_process,
            host_users: host_process || os == Some("windows") || self.random.one_in(2),
        }
    }

    /// A Deployment; most of what `before` has, which is for the same platform, stays.
    fn deployment(&mut self, name: &str, app: usize, platform: Platform, before: Option<&Value>) -> Value {
        let app = app_name(app);
        let old = before.map(|before| &before["spec"]["template"]["spec"]);
        let pod_host_process = match old {
            Some(old) => old["securityContext"]["windowsOptions"]["hostProcess"] == json!(true),
            None => platform.host_process && self.random.one_in(2),
        };
        let containers = |generator: &mut Self, list: &str, least: u64, most: u64| -> Vec<Value> {
            let count = least + generator.random.below(most);
            (0..count)
                .map(|position| {
                    let name = format!("{}{position}", &list[..3]);
                    let same = |container: &&Value| container["name"] == json!(name);
                    let kept = old.and_then(|old| old[list].as_array()?.iter().find(same));
                    if let Some(kept) = kept.filter(|_| !generator.random.one_in(3)) {
                        return kept.clone();
                    }
                    let own = platform.host_process && !pod_host_process;
                    generator.container(&name, platform, own, list == "initContainers")
                })
                .collect()
        };
        let (app_containers, init) = (
            containers(self, "containers", 1, 5),
            containers(self, "initContainers", 0, 3),
        );
        let mut context = match old {
            Some(old) if !self.random.one_in(3) => old["securityContext"].clone(),
            _ => self.context(platform, pod_host_process, false),
        };
        if context.is_null() {
            context = json!({});
        }
        let mut pod = json!({
            "containers": app_containers, "initContainers": init, "securityContext": context,
        });
        if let Some(os) = platform.os {
            pod["os"] = json!({"name": os});
        }
        if platform.host_process {
            pod["hostNetwork"] = json!(true);
        }
        if !platform.host_users {
            pod["hostUsers"] = json!(false);
        }
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {NAME: app}},
            "spec": {
                "replicas": self.random.below(5),
                "selector": {"matchLabels": {NAME: app}},
                "template": {"metadata": {"labels": {NAME: app}}, "spec": pod},
            },
        })
    }

    fn container(&mut self, name: &str, platform: Platform, host_process: bool, init: bool) -> Value {
        let mut container = json!({
            "name": name, "image": format!("registry.example.com/shop/{name}:1"),
            "securityContext": self.context(platform, host_process, true),
        });
        if init && self.random.one_in(2) {
            container["restartPolicy"] = json!("Always");
        }
        if self.random.one_in(2) {
            container["resources"] = json!({"requests": {"cpu": "700m"}, "limits": {"cpu": "2", "memory": "1Gi"}});
        }
        container
    }

    /// The security settings of a pod or of a container.
    fn context(&mut self, platform: Platform, host_process: bool, of_container: bool) -> Value {
        let mut context = json!({});
        let mut flag = |random: &mut Random, key: &str| {
            if let Some(flag) = *random.pick(&[None, Some(true), Some(false)]) {
                context[key] = json!(flag);
            }
        };
        flag(&mut self.random, "runAsNonRoot");
        if of_container && platform.os != Some("windows") {
            flag(&mut self.random, "readOnlyRootFilesystem");
            flag(&mut self.random, "privileged");
            flag(&mut self.random, "allowPrivilegeEscalation");
        }
        if platform.os != Some("windows") {
            if let Some(user) = *self.random.pick(&[None, Some(0), Some(1_000)]) {
                context["runAsUser"] = json!(user);
            }
            if of_container {
                self.capabilities(&mut context);
                if !platform.host_users && self.random.one_in(4) {
                    context["procMount"] = json!("Unmasked");
                }
                let ties = context["privileged"] == json!(true)
                    || context["capabilities"]["add"]
                        .as_array()
                        .is_some_and(|add| add.contains(&json!("CAP_SYS_ADMIN")));
                if ties && context["allowPrivilegeEscalation"] == json!(false) {
                    context["allowPrivilegeEscalation"] = json!(true);
                }
            }
        }
        if platform.os != Some("linux") && (host_process || self.random.one_in(3)) {
            context["windowsOptions"] = json!({});
            if self.random.one_in(2) {
                context["windowsOptions"]["runAsUserName"] = json!(self.random.pick(&ACCOUNTS));
            }
            if host_process {
                context["windowsOptions"]["hostProcess"] = json!(true);
            }
        }
        context
    }

    fn capabilities(&mut self, context: &mut Value) {
        if self.random.one_in(2) {
            let count = self.random.below(4);
            let add: Vec<&str> = (0..count).map(|_| *self.random.pick(&CAPABILITIES)).collect();
            context["capabilities"] = json!({"add": add, "drop": ["ALL"]});
        }
    }
}

/// splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        #[expect(clippy::cast_possible_truncation, reason = "below the length of a list")]
        &list[self.below(list.len() as u64) as usize]
    }
}
