//! The command line as users see it: one line on stderr, and the documented exit code.

use std::path::Path;
use std::process::{Command, Output};

use dorgu::policy::Rule;
use tempfile::TempDir;

fn dorgu(args: &[&str], environment: &[(&str, &str)]) -> Output {
    command(args, environment).output().expect("the program runs")
}

fn command(args: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dorgu"));
    for (name, _) in std::env::vars_os() {
        if ["DORGU_", "KUBE"]
            .iter()
            .any(|own| name.to_string_lossy().starts_with(own))
        {
            command.env_remove(name);
        }
    }
    command
        // Where no kubeconfig is.
        .env("HOME", "/nowhere")
        .args(args)
        .envs(environment.iter().copied());
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Ends with this code and says these words.
fn assert_refused(args: &[&str], environment: &[(&str, &str)], code: i32, words: &[&str]) {
    let output = dorgu(args, environment);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?} printed data");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say '{word}': {said}");
    }
}

#[test]
fn serve_without_anything_to_answer_from_says_what_to_pass() {
    let output = dorgu(&["serve"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("--personas DIR") && said.contains("--kubeconfig"),
        "{said}"
    );
}

#[test]
fn an_interval_that_would_never_rest_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, "{}").expect("written");
    let kubeconfig = format!("--kubeconfig={}", file.display());
    let often = ["serve", &kubeconfig, "--requeue-interval=10ms"];
    assert_refused(&often, &[], 2, &["--requeue-interval", "'10ms'", "the least is 1s"]);
    let never = ["serve", &kubeconfig, "--requeue-interval=0"];
    assert_refused(&never, &[], 2, &["--requeue-interval", "'0'", "the least is 1s"]);
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_named() {
    let args = [
        "serve",
        "--kubeconfig=/nowhere/kubeconfig",
        "--enable-webhook",
        "--webhook-bind-address=127.0.0.1:0",
    ];
    assert_refused(&args, &[], 1, &["/nowhere/kubeconfig"]);
}

#[test]
fn a_value_outside_its_set_is_refused_with_the_valid_ones() {
    let folder = TempDir::new().expect("a folder");
    let personas = folder.path().to_str().expect("text");
    for (flag, words) in [
        (
            "--webhook-mode=Enforcing",
            ["Enforcing", "valid values are advisory, enforcing"],
        ),
        ("--rules=all", ["all", "valid values are complete, upstream"]),
        ("--match=name", ["name", "valid values are label, chain"]),
        ("--log-format=xml", ["xml", "valid values are auto, json, text"]),
        ("--shutdown-delay=soon", ["soon", "10s, 1m30s or 500ms"]),
        ("--webhook-bind-address=9443", ["9443", ":9443"]),
        ("--zap-log-level=loud", ["loud", "debug, info, error, panic"]),
    ] {
        assert_refused(&["serve", "--personas", personas, flag], &[], 2, &words);
    }
    let environment = [("DORGU_WEBHOOK_MODE", "strict")];
    assert_refused(
        &["serve", "--personas", personas],
        &environment,
        2,
        &[
            "strict",
            "advisory, enforcing",
            "the environment variable DORGU_WEBHOOK_MODE",
        ],
    );
    // The flag wins, so it is the flag that is wrong.
    let both = dorgu(
        &["serve", "--personas", personas, "--webhook-mode", "harsh"],
        &environment,
    );
    assert!(!stderr(&both).contains("environment variable"), "{}", stderr(&both));
}

#[test]
fn manifests_that_no_cluster_could_use_are_not_printed() {
    for (flag, words) in [
        ("--namespace=kube-system", "Kubernetes' own"),
        ("--namespace=", "lower case letters"),
        ("--image=", "registry.example.com/team/dorgu"),
        ("--replicas=0", "0 is not in 1.."),
    ] {
        assert_refused(&["manifests", flag], &[], 2, &[words]);
    }
}

#[test]
fn an_unknown_command_or_flag_gets_a_suggestion() {
    assert_refused(&["serv"], &[], 2, &["unrecognized subcommand 'serv'", "'serve'"]);
    assert_refused(&["serve", "--webhook-mod=x"], &[], 2, &["--webhook-mode"]);
}

#[test]
fn what_keeps_the_server_from_starting_is_one_line() {
    assert_refused(
        &["serve", "--personas", "/nowhere/at/all"],
        &[],
        1,
        &["/nowhere/at/all"],
    );
    let said = stderr(&dorgu(&["serve", "--personas", "/nowhere/at/all"], &[]));
    assert_eq!(said.matches("No such file").count(), 1, "{said}");
    let folder = TempDir::new().expect("a folder");
    let personas = folder.path().to_str().expect("text");
    let free = [
        "--health-probe-bind-address=0",
        "--metrics-bind-address=0",
        "--webhook-bind-address=127.0.0.1:0",
    ];
    let serve = |more: &[&str]| {
        [&["serve", "--personas", personas, "--log-format=json"], &free[..], more]
            .concat()
            .iter()
            .map(|arg| (*arg).to_owned())
            .collect::<Vec<String>>()
    };
    for (more, words) in [
        (vec![format!("--webhook-cert-path={personas}")], "tls.crt"),
        (vec!["--client-ca-file=/nowhere/ca.pem".to_owned()], "/nowhere/ca.pem"),
        (vec!["--write-ca=/nowhere/ca.pem".to_owned()], "/nowhere/ca.pem"),
    ] {
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let args = serve(&more);
        let output = dorgu(&args.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let last = said.lines().last().expect("a line");
        assert!(last.starts_with("dorgu: ") && last.contains(words), "{said}");
    }
    let more = ["--client-allowed-names=kube-apiserver"];
    let args = serve(&more);
    assert_refused(
        &args.iter().map(String::as_str).collect::<Vec<_>>(),
        &[],
        2,
        &["--client-allowed-names needs --client-ca-file"],
    );
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = TempDir::new().expect("a folder");
    let args = [
        "serve",
        "--personas",
        folder.path().to_str().expect("text"),
        "--webhook-bind-address",
        &address,
    ];
    assert_refused(&args, &[], 1, &[&address]);
}

#[test]
fn every_flag_without_effect_beside_personas_is_named() {
    let folder = TempDir::new().expect("a folder");
    let args = [
        "serve",
        "--personas",
        folder.path().to_str().expect("text"),
        "--enable-webhook=false",
        "--leader-elect",
        "--client-ca-file=/nowhere/ca.pem",
    ];
    assert_refused(&args, &[], 1, &["--enable-webhook --leader-elect"]);
}

#[test]
fn crd_prints_both_definitions_or_writes_them() {
    let output = dorgu(&["crd"], &[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("name: applicationpersonas.dorgu.io") && text.contains("name: clusterpersonas.dorgu.io"));
    let folder = TempDir::new().expect("a folder");
    let target = folder.path().join("new/crds");
    assert!(
        dorgu(&["crd", "--output", target.to_str().expect("text")], &[])
            .status
            .success()
    );
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/crds");
    for name in ["dorgu.io_applicationpersonas.yaml", "dorgu.io_clusterpersonas.yaml"] {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(name)).expect("there");
        assert_eq!(read(&target), read(&shipped), "{name}");
    }
    assert_refused(
        &["crd", "--output", "/proc/nowhere"],
        &[],
        1,
        &["cannot create /proc/nowhere"],
    );
}

#[test]
fn manifests_for_the_chain_start_the_process_so_and_send_it_what_it_needs() {
    let printed = |args: &[&str]| String::from_utf8(dorgu(args, &[]).stdout).expect("YAML");
    let (label, chain) = (printed(&["manifests"]), printed(&["manifests", "--match=chain"]));
    assert!(
        label.contains("objectSelector") && !label.contains("--match="),
        "{label}"
    );
    assert!(
        !chain.contains("objectSelector") && chain.contains("--match=chain"),
        "{chain}"
    );
}

#[test]
fn a_label_is_required_with_the_matching_by_label_only() {
    let required = String::from_utf8(dorgu(&["manifests", "--require-label"], &[]).stdout).expect("YAML");
    assert!(
        !required.contains("objectSelector") && required.contains("- --require-label"),
        "{required}"
    );
    let why = ["--require-label needs --match label"];
    assert_refused(&["manifests", "--require-label", "--match=chain"], &[], 1, &why);
    let personas = TempDir::new().expect("a folder");
    let personas = format!("--personas={}", personas.path().display());
    assert_refused(&["serve", &personas, "--match=chain", "--require-label"], &[], 2, &why);
    assert_refused(
        &["serve", &personas, "--match=chain"],
        &[("DORGU_REQUIRE_LABEL", "true")],
        2,
        &why,
    );
}

#[test]
fn version_and_help_are_data_and_succeed() {
    for args in [&["version"][..], &["--version"], &["--help"], &["serve", "--help"]] {
        let output = dorgu(args, &[]);
        assert!(output.status.success() && !output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn certificates_in_the_cluster_need_all_their_names() {
    let folder = TempDir::new().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let serve = [
        "serve",
        "--enable-webhook",
        "--kubeconfig",
        kubeconfig.to_str().expect("text"),
    ];
    let half = [&serve[..], &["--webhook-config=a", "--webhook-secret=b"]].concat();
    assert_refused(&half, &[], 2, &["go together", "without --webhook-service"]);
    let all = [
        "--webhook-config=a",
        "--webhook-secret=b",
        "--webhook-service=c",
        "--write-ca=x",
    ];
    assert_refused(
        &[&serve[..], &all].concat(),
        &[],
        2,
        &["--write-ca", "ca.crt in that Secret"],
    );
}

#[test]
fn the_doctor_refuses_what_it_does_not_know_with_what_it_does() {
    assert_refused(&["doctor", "--output=xml"], &[], 2, &["valid values are text, json"]);
    assert_refused(&["doctor", "--exclude=clocks"], &[], 2, &["clocks", "clock, crds"]);
    assert_refused(&["doctor", "--match=name"], &[], 2, &["valid values are label, chain"]);
    assert_refused(&["doctor", "--webhook-confg=x"], &[], 2, &["--webhook-config"]);
}

#[test]
fn a_cluster_that_the_doctor_cannot_ask_is_one_line_and_exit_code_2() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("kubeconfig");
    // A port that was free a moment ago and has no listener.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = format!("https://{}", free.local_addr().expect("an address"));
    drop(free);
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&file, config.to_string()).expect("written");
    let kubeconfig = format!("--kubeconfig={}", file.display());
    for (args, words) in [
        (vec!["doctor"], vec!["no cluster to look at", "--kubeconfig FILE"]),
        (
            vec!["doctor", "--kubeconfig=/nowhere/kubeconfig"],
            vec!["/nowhere/kubeconfig"],
        ),
        (vec!["doctor", &kubeconfig, "--context=there"], vec!["there"]),
        (vec!["doctor", &kubeconfig], vec![server.as_str(), "cannot be asked"]),
    ] {
        assert_refused(&args, &[], 2, &words);
        let said = stderr(&dorgu(&args, &[]));
        assert!(
            said.lines().count() == 1 && said.starts_with("dorgu: "),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn what_cannot_be_written_is_a_failure() {
    for args in [&["version"][..], &["crd"], &["manifests"], &["explain"]] {
        // Every write to it fails, as on a full disk.
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let output = command(args, &[]).stdout(full).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(
            stderr(&output).contains("cannot write to standard output"),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn every_command_says_its_exit_codes() {
    for command in [
        &[][..],
        &["serve"],
        &["crd"],
        &["manifests"],
        &["doctor"],
        &["explain"],
        &["persona", "policy"],
        &["version"],
    ] {
        let output = dorgu(&[command, &["--help"]].concat(), &[]);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.contains("Exit codes: 0 "), "{command:?}: {help}");
        assert!(help.contains("2 wrong usage"), "{command:?}: {help}");
    }
}

#[test]
fn no_message_names_a_value_or_a_path_twice() {
    let cases: [(&[&str], &str); 5] = [
        (&["serve", "--kubeconfig=/nowhere/kubeconfig"], "/nowhere/kubeconfig"),
        (&["doctor", "--kubeconfig=/nowhere/kubeconfig"], "/nowhere/kubeconfig"),
        (&["serve", "--shutdown-delay=soon"], "soon"),
        (&["serve", "--webhook-bind-address=94x43"], "94x43"),
        (&["manifests", "--image=Bad Image"], "Bad Image"),
    ];
    for (args, named) in cases {
        let said = stderr(&dorgu(args, &[]));
        assert_eq!(said.matches(named).count(), 1, "{args:?}: {said}");
        assert!(!said.contains("'\"") && !said.contains("\"'"), "{args:?}: {said}");
    }
}

#[test]
fn a_log_in_text_stays_text_on_a_pipe() {
    let args = ["serve", "--personas=/nowhere/personas", "--log-format=text"];
    let said = stderr(&dorgu(&args, &[]));
    assert!(said.lines().count() > 1, "{said}");
    assert!(!said.contains('{') && !said.contains('\u{1b}'), "{said}");
}

/// The standard output of a command that succeeds and complains of nothing.
fn printed(args: &[&str]) -> String {
    let output = dorgu(args, &[]);
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(0), ""),
        "{args:?}"
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn explain_without_a_rule_lists_all_in_a_line_each() {
    let list = printed(&["explain"]);
    let names: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(names, rules);
    let line = list.lines().find(|line| line.starts_with("replicas-below-minimum"));
    assert_eq!(
        line,
        Some("replicas-below-minimum      error    Fewer replicas than the persona demands.")
    );
}

#[test]
fn explain_says_what_the_page_says() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md")).expect("read");
    for rule in Rule::ALL {
        let name = rule.name();
        let text = printed(&["explain", name]);
        assert!(
            text.starts_with(&format!("{name} ({})\n\n", rule.severity().as_str())),
            "{text}"
        );
        let (_, section) = page.split_once(&format!("\n## {name}\n")).expect("a section");
        let section = section.split("\n## ").next().expect("its text");
        for code in section
            .split("\n```yaml\n")
            .skip(1)
            .filter_map(|rest| rest.split("\n```").next())
        {
            let indented: Vec<String> = code.lines().map(|line| format!("    {line}")).collect();
            assert!(text.contains(&indented.join("\n")), "{name}: no example in\n{text}");
        }
        for command in section
            .lines()
            .filter_map(|line| line.strip_suffix("` |")?.rsplit_once("| `kubectl "))
        {
            assert!(
                text.contains(&format!("\n    kubectl {}\n", command.1)),
                "{name}: {}",
                command.1
            );
        }
        let read: serde_json::Value = serde_json::from_str(&printed(&["explain", name, "-o", "json"])).expect("JSON");
        assert_eq!(
            (&read["rule"], read["markdown"].as_str()),
            (&name.into(), Some(section.trim()))
        );
    }
    let all: serde_json::Value = serde_json::from_str(&printed(&["explain", "--output=json"])).expect("JSON");
    assert_eq!(all.as_array().map(Vec::len), Some(Rule::ALL.len()));
}

#[test]
fn explain_names_the_rule_nearest_to_a_mistyped_one() {
    let words = [
        "'cpu-limits-missing'",
        "did you mean cpu-limit-missing?",
        "`dorgu explain` lists all",
    ];
    assert_refused(&["explain", "cpu-limits-missing"], &[], 2, &words);
    assert_refused(
        &["explain", "persona-duplicates"],
        &[],
        2,
        &["did you mean persona-duplicate?"],
    );
    assert_refused(&["explain", "a", "b"], &[], 2, &["'b'"]);
    assert_refused(&["explain", "-o", "xml"], &[], 2, &["valid values are text, json"]);
}

#[test]
fn shells_complete_every_command_and_man_has_a_page_for_each() {
    let commands: Vec<String> = dorgu::cli::command()
        .get_subcommands()
        .map(|one| one.get_name().to_owned())
        .collect();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completion", shell]);
        let missing = commands.iter().find(|command| !script.contains(command.as_str()));
        assert_eq!(missing, None, "{shell}");
        assert!(script.contains("fail-on"), "{shell}: no flag");
    }
    let mut bash = Command::new("bash");
    let script = printed(&["completion", "bash"]);
    let asked = "COMP_WORDS=(dorgu che) COMP_CWORD=1; _dorgu dorgu che dorgu; echo \"${COMPREPLY[@]}\"";
    let answer = bash
        .args(["-c", &format!("{script}\n{asked}")])
        .output()
        .expect("bash runs");
    assert_eq!(
        String::from_utf8_lossy(&answer.stdout).trim(),
        "check",
        "{}",
        stderr(&answer)
    );
    for command in commands {
        let page = printed(&["man", &command]);
        assert!(page.contains(&format!(".TH dorgu-{command} 1")), "{page}");
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
    assert!(printed(&["man"]).contains(".TH dorgu 1"));
    assert_refused(&["man", "chekc"], &[], 1, &["no command \"chekc\"", "check"]);
}

#[test]
fn as_a_plugin_of_kubectl_it_is_called_so() {
    let folder = TempDir::new().expect("a folder");
    let plugin = folder.path().join("kubectl-dorgu");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dorgu"), &plugin).expect("a link");
    let said = Command::new(&plugin)
        .args(["explain", "--help"])
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("Usage: kubectl dorgu explain"), "{said}");
}

const PERSONA: &str = "apiVersion: dorgu.io/v1\nkind: ApplicationPersona\nmetadata: {name: orders}\nspec: {name: orders, type: api, \
                       scaling: {minReplicas: 2, maxReplicas: 6}}\n";

#[test]
fn persona_policy_of_a_file_counts_its_namespace_and_says_what_is_left_out() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("orders.yaml");
    let namespace =
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {dorgu.io/mode: enforcing}}\n";
    std::fs::write(&file, format!("{PERSONA}{namespace}")).expect("written");
    let file = file.display().to_string();
    let ask = |args: &[&str]| dorgu(&[&["persona", "policy", "-f", &file], args].concat(), &[]);
    let names = |output: &Output| {
        assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let items = list["items"].as_array().expect("items").clone();
        let policies = items.iter().filter(|item| item["kind"] == "ValidatingAdmissionPolicy");
        policies
            .map(|policy| policy["metadata"]["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&ask(&["-n", "shop", "-o", "json"])),
        ["shop.orders.deny", "shop.orders.warn"]
    );
    assert_eq!(names(&ask(&["-o", "json"])), ["default.orders.warn"]);
    assert_eq!(
        names(&ask(&[
            "-o",
            "json",
            "--mode",
            "enforcing",
            "--rule-level",
            "replicas-below-minimum=warn"
        ])),
        ["default.orders.deny", "default.orders.warn"]
    );
    let left_out = stderr(&ask(&[]));
    let line = "dorgu: ApplicationPersona 'default/orders': not covered: PersonaExceptions: CEL has no clock";
    assert!(left_out.contains(line), "{left_out}");
}

#[test]
fn persona_policy_says_why_it_cannot_print() {
    let folder = TempDir::new().expect("a folder");
    let written = |name: &str, text: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file.display().to_string()
    };
    let twice = written("twice.yaml", format!("{PERSONA}---\n{PERSONA}").as_bytes());
    let default = written(
        "default.yaml",
        PERSONA.replace("name: orders, type", "name: \"*\", type").as_bytes(),
    );
    let invalid = written("invalid.yaml", PERSONA.replace("type: api", "type: none").as_bytes());
    let other = written("other.yaml", b"apiVersion: v1\nkind: Service\nmetadata: {name: x}\n");
    let binary = written("binary.yaml", b"\xff\xfe");
    let missing = folder.path().join("missing.yaml").display().to_string();
    for (file, words) in [
        (&twice, "is in this file twice"),
        (&default, "is a default persona"),
        (&invalid, "invalid.yaml:4: spec.type: Unsupported value"),
        (&other, "there is no ApplicationPersona in it"),
        (&binary, "is no UTF-8 text"),
        (&missing, "missing.yaml: cannot be read"),
    ] {
        assert_refused(&["persona", "policy", "-f", file], &[], 1, &[words]);
        let said = stderr(&dorgu(&["persona", "policy", "-f", file], &[]));
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_refused(&["persona", "policy", "orders"], &[], 1, &["no cluster is configured"]);
    assert_refused(&["persona", "policy"], &[], 2, &["NAME"]);
    assert_refused(
        &["persona", "policy", "orders", "-f", &twice],
        &[],
        2,
        &["cannot be used with"],
    );
    assert_refused(
        &["persona", "policy", "orders", "-o", "xml"],
        &[],
        2,
        &["valid values are yaml, json"],
    );
    let mode = [("DORGU_WEBHOOK_MODE", "strict")];
    assert_refused(
        &["persona", "policy", "orders"],
        &mode,
        2,
        &["valid values are advisory, enforcing", "DORGU_WEBHOOK_MODE"],
    );
}
