//! Compares the ratchet with an oracle on generated updates: an update is denied exactly when some container can do what it
//! could not do before and the persona forbids it.
//!
//! `DORGU_RATCHET_CASES` is the number of updates. A fault that is planted in the ratchet's input must be found.

mod oracle;
mod updates;

use std::sync::Arc;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::oracle::Ability;
use self::updates::{Kind, Pod, Update, updates};
use crate::{
    Governed, Mode, ModeWish, Old, Persona, PlatformRules, Question, RuleSet, Rulebook, Subject, Workload, decide,
};

fn cases() -> u32 {
    let asked = std::env::var("DORGU_RATCHET_CASES").ok();
    asked.map_or(3_000, |count| count.parse().expect("DORGU_RATCHET_CASES is a number"))
}

/// Whether dorgu denies it, where everything is enforced.
fn is_refused(update: &Update) -> bool {
    let personas = [Arc::new(Persona {
        name: "orders".into(),
        run_as_non_root: update.forbids_root,
        forbids_privilege_escalation: update.forbids_escalation,
        ..Persona::default()
    })];
    let (old, new) = (update.old.to_json(), update.new.to_json());
    let new: Workload<'_> = serde_json::from_str(&new).expect("a Deployment");
    let governed = Governed {
        app: "orders",
        personas: personas[..].into(),
        ..Governed::default()
    };
    let stored = || serde_json::from_str(&old).ok();
    let question = Question {
        subject: Subject::Deployment,
        new: &new,
        governed,
        old: Some(Old {
            governed,
            workload: &stored,
        }),
        namespace: "shop",
        namespace_mode: &ModeWish::Unset,
        platform: &PlatformRules::NONE,
    };
    let rulebook = Rulebook {
        set: RuleSet::Complete,
        mode: Mode::Enforcing,
    };
    !decide(rulebook, &question).allows()
}

/// The oracle's result.
fn gains(update: &Update) -> Vec<Ability> {
    let before = oracle::abilities(&update.old, true);
    let after = oracle::abilities(&update.new, false);
    let new = after.difference(&before).cloned();
    new.filter(|ability| match ability.is_about_users() {
        true => update.forbids_root,
        false => update.forbids_escalation,
    })
    .collect()
}

/// Compares dorgu, which gets the update changed by `fault`, with the oracle, which gets the update itself.
fn compare(count: u32, fault: impl Fn(&mut Update)) -> Result<(), Box<TestError<Update>>> {
    let config = Config {
        cases: count,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (refused, allowed) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let result = TestRunner::new_with_rng(config, seed).run(&updates(), |update| {
        let gains = gains(&update);
        let mut seen = update;
        fault(&mut seen);
        let count = if gains.is_empty() { &allowed } else { &refused };
        count.set(count.get() + 1);
        if is_refused(&seen) == gains.is_empty() {
            return Err(TestCaseError::fail(format!("gained: {gains:?}")));
        }
        Ok(())
    });
    if result.is_ok() {
        let (refused, allowed) = (refused.get(), allowed.get());
        println!("{refused} updates refused, {allowed} allowed");
        assert!(
            4 * refused.min(allowed) > refused.max(allowed),
            "one of the two is hardly tried"
        );
    }
    result.map_err(Box::new)
}

#[test]
fn an_update_is_refused_exactly_when_a_container_gains_what_is_forbidden() {
    if let Err(error) = compare(cases(), |_| {}) {
        panic!("{error}");
    }
}

/// A ratchet with the fault of this name would see this instead of the update.
type Fault = (&'static str, fn(&mut Update));

const FAULTS: &[Fault] = &[
    ("the pod's user is not inherited", |update| {
        both(update, |pod| pod.settings.user = None)
    }),
    ("the pod's demand is not inherited", |update| {
        both(update, |pod| pod.settings.demand = None)
    }),
    ("the pod's account is not inherited", |update| {
        both(update, |pod| pod.settings.account = None)
    }),
    ("the pod's hostProcess is not inherited", |update| {
        both(update, |pod| pod.settings.host_process = None);
    }),
    ("the operating system is not read", |update| {
        both(update, |pod| pod.os = None)
    }),
    ("a container is known by its list", |update| {
        both(update, |pod| {
            let renamed = |(name, (kind, settings)): (String, _)| match kind {
                Kind::App => (name, (kind, settings)),
                _ => (format!("init-{name}"), (kind, settings)),
            };
            pod.containers = std::mem::take(&mut pod.containers).into_iter().map(renamed).collect();
        });
    }),
    ("what runs once counts as permanent", |update| {
        both(update, |pod| {
            pod.containers.values_mut().for_each(|(kind, _)| *kind = Kind::App)
        });
    }),
    ("a sidecar counts as what runs once", |update| {
        both(update, |pod| {
            for (kind, _) in pod.containers.values_mut() {
                if *kind == Kind::Sidecar {
                    *kind = Kind::Init;
                }
            }
        });
    }),
    ("an old user of the image counts as root", |update| {
        each(&mut update.old, |settings| {
            settings.user.get_or_insert(0);
        });
    }),
    ("an old user counts though another was demanded", |update| {
        update.old.settings.demand = None;
        each(&mut update.old, |settings| settings.demand = None);
    }),
    ("silence about escalation was a no", |update| {
        each(&mut update.old, |settings| {
            settings.escalation.get_or_insert(false);
        });
    }),
    ("privileged stands above nothing", |update| {
        let kept = |name: &str| {
            update
                .new
                .containers
                .get(name)
                .is_some_and(|(_, new)| new.privileged == Some(true))
        };
        for (name, (_, old)) in &mut update.old.containers {
            if !kept(name) {
                old.privileged = None;
            }
        }
    }),
    ("ALL stands above nothing", |update| {
        let kept = |name: &str| {
            let new = update.new.containers.get(name);
            new.is_some_and(|(_, new)| new.capabilities.iter().any(|cap| oracle::meaning(cap) == "ALL"))
        };
        for (name, (_, old)) in &mut update.old.containers {
            if !kept(name) {
                old.capabilities.retain(|cap| oracle::meaning(cap) != "ALL");
            }
        }
    }),
    ("one capability stands for ALL", |update| {
        each(&mut update.old, |settings| {
            if settings
                .capabilities
                .iter()
                .any(|cap| oracle::meaning(cap) == "SYS_ADMIN")
            {
                settings.capabilities.push("ALL");
            }
        });
    }),
    ("procMount stands for a capability", |update| {
        each(&mut update.old, |settings| {
            if settings.proc_mount == Some("Unmasked") {
                settings.capabilities.push("SYS_ADMIN");
            }
        });
    }),
    ("procMount stands for escalation", |update| {
        each(&mut update.old, |settings| {
            if settings.proc_mount == Some("Unmasked") {
                settings.escalation = Some(true);
            }
        });
    }),
    ("ALL opens /proc", |update| {
        each(&mut update.old, |settings| {
            if settings.capabilities.iter().any(|cap| oracle::meaning(cap) == "ALL") {
                settings.proc_mount = Some("Unmasked");
            }
        });
    }),
    ("an old account excuses a user", |update| {
        let excused = |settings: &mut updates::Settings| {
            if settings
                .account
                .is_some_and(|account| account.ends_with("Administrator"))
            {
                settings.user = Some(0);
            }
        };
        excused(&mut update.old.settings);
        each(&mut update.old, excused);
    }),
    ("an old user excuses an account", |update| {
        let excused = |settings: &mut updates::Settings| {
            if settings.user == Some(0) {
                settings.account = Some("ContainerAdministrator");
            }
        };
        excused(&mut update.old.settings);
        each(&mut update.old, excused);
    }),
    ("an old host process excuses privileged", |update| {
        let pod = update.old.settings.host_process;
        each(&mut update.old, |settings| {
            if settings.host_process.or(pod) == Some(true) {
                settings.privileged = Some(true);
            }
        });
    }),
    ("an old privileged container excuses a host process", |update| {
        each(&mut update.old, |settings| {
            if settings.privileged == Some(true) {
                settings.host_process = Some(true);
            }
        });
    }),
    (
        "a stored pod that says nothing of Windows does not run there",
        |update| {
            if update.old.os.is_none() && update.old.settings.account.is_none() {
                update.old.os = Some("linux");
            }
        },
    ),
    ("a capability is folded by ASCII", |update| {
        let not_ascii = |settings: &mut updates::Settings| settings.capabilities.retain(|cap| cap.is_ascii());
        each(&mut update.new, not_ascii);
    }),
    ("an account has no domain", |update| {
        each(&mut update.new, |settings| {
            if settings.account.is_some_and(|account| account.contains('\\')) {
                settings.account = Some("ContainerUser");
            }
        });
    }),
    ("the kubelet knows a domain", |update| {
        let bare = |settings: &mut updates::Settings| {
            if let Some((_, account)) = settings.account.and_then(|account| account.split_once('\\'))
                && account.eq_ignore_ascii_case("ContainerAdministrator")
            {
                settings.account = Some(account);
            }
        };
        bare(&mut update.new.settings);
        each(&mut update.new, bare);
    }),
];

fn both(update: &mut Update, change: impl Fn(&mut Pod)) {
    change(&mut update.old);
    change(&mut update.new);
}

fn each(pod: &mut Pod, change: impl Fn(&mut updates::Settings)) {
    pod.containers.values_mut().for_each(|(_, settings)| change(settings));
}

#[test]
fn every_planted_fault_is_found() {
    let missed: Vec<&str> = FAULTS
        .iter()
        .filter(|(_, fault)| compare(cases(), fault).is_ok())
        .map(|(name, _)| *name)
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}
