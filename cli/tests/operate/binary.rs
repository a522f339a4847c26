//! The program itself: its output, its exit codes, its sentences.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

use beckn_health::network::identity::new_key;
use beckn_health::sample::{catalogue_json, sample_catalogue};
use serde_json::Value;

pub(crate) fn beckn_health(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beckn-health"));
    command.args(arguments).current_dir(folder);
    // Nothing of whoever runs the tests: no profile, no region, no instance.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") || name.to_string_lossy().starts_with("BECKN_HEALTH_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", folder).env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asserts the exit code and answers standard output, or standard error of a command that failed.
pub(crate) fn told(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    text(if code == 0 { &output.stdout } else { &output.stderr })
}

/// A network that ends with the test.
pub(crate) struct Up {
    child: Child,
    pub(crate) base: String,
    aws: String,
    token: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn up(folder: &std::path::Path) -> Up {
    std::fs::write(folder.join("clinic.json"), catalogue_json(&sample_catalogue(3, 1).unwrap()).unwrap()).unwrap();
    let arguments = ["up", "--port", "0", "--aws-port", "0", "--data", "network", "--catalogue", "clinic.json"];
    let mut child = beckn_health(folder, &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut up = Up { child, base: String::new(), aws: String::new(), token: String::new() };
    while up.base.is_empty() {
        let line = lines.next().expect("`up` ended before it was ready").unwrap();
        match line.split_once(' ') {
            Some(("aws", url)) => up.aws = url.to_owned(),
            Some(("token", token)) => up.token = token.to_owned(),
            Some(("ready", url)) => up.base = url.to_owned(),
            _ => {}
        }
    }
    up
}

#[test]
fn an_operator_works_on_a_network_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let up = up(folder.path());
    let run =
        |arguments: &[&str]| beckn_health(folder.path(), arguments).env("AWS_ENDPOINT_URL", &up.aws).output().unwrap();
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&told(&run(arguments), 0)).unwrap() };

    let listed = json(&["dlq", "list", "--json"]);
    assert!(
        listed.as_array().unwrap().iter().any(|queue| queue["queue"] == "bpp-callbacks-dlq" && queue["messages"] == 0)
    );
    assert!(told(&run(&["dlq", "list"]), 0).contains("Nothing rests there"));
    assert!(told(&run(&["dlq", "show", "bpp-callbacks"]), 0).contains("bpp-callbacks-dlq is empty"));
    assert_eq!(json(&["dlq", "redrive", "bpp-callbacks", "--json"])["moved"], 0);

    let key = new_key("k1".parse().unwrap()).signing.verifying_key().to_base64();
    let added = [
        "registry",
        "add",
        "--subscriber-id",
        "app.example",
        "--type",
        "BAP",
        "--url",
        "https://app.example/beckn/",
        "--key-id",
        "k1",
        "--signing-public-key",
        &key,
        "--country",
        "IND",
        "--json",
    ];
    let row = json(&added);
    assert_eq!(
        (&row["url"], &row["location"]["country"]["code"]),
        (&"https://app.example/beckn".into(), &"IND".into())
    );
    assert!(told(&run(&["registry", "list"]), 0).contains("app.example"));
    assert!(told(&run(&["registry", "remove", "--subscriber-id", "app.example"]), 0).contains("given up with k1"));
    let listed = json(&["registry", "list", "--subscriber-id", "app.example", "--json"]);
    assert_eq!(listed[0]["status"], "UNSUBSCRIBED");

    let loaded = json(&["catalogue", "load", "clinic.json", "--wait", "--json"]);
    assert_eq!((&loaded["practitioners"], &loaded["published"]), (&3.into(), &true.into()));

    let port = |url: &str| url.rsplit_once(':').unwrap().1.to_owned();
    let (port, aws_port) = (port(&up.base), port(&up.aws));
    let printed = told(&run(&["env", "bpp", "--port", &port, "--aws-port", &aws_port, "--data", "network"]), 0);
    assert!(printed.contains("export SUBSCRIBER_ID=bpp.beckn-health.localhost\n"), "{printed}");
    assert!(printed.contains(&format!("export SUBSCRIBER_URL={}/bpp\n", up.base)), "{printed}");

    let unknown = told(&run(&["dlq", "show", "bpp-tick"]), 1);
    assert!(unknown.starts_with("beckn-health: bpp-tick is no queue with dead letters; expected one of "), "{unknown}");
    let elsewhere = told(&run(&["dlq", "list", "--deployment", "beckn-health-dev"]), 1);
    assert!(elsewhere.contains("no queues of a deployment called beckn-health-dev"), "{elsewhere}");
    let transaction = "4b8f0d5e-0f5c-4f0b-9a53-0e7a3c1d2b11";
    let by_log = told(&run(&["trace", transaction, "--deployment", "beckn-health-local"]), 1);
    assert!(by_log.contains("a local network keeps no logs to read"), "{by_log}");
    let by_bap = ["trace", transaction, "--url", &up.base];
    assert!(told(&run(&by_bap), 1).contains("wants a token: give it with --token or BECKN_HEALTH_TOKEN"));
    // The token that `up` printed is the one it keeps.
    let kept = std::fs::read_to_string(folder.path().join("network").join("token")).unwrap();
    assert_eq!(kept, format!("{}\n", up.token));
    let mut known = beckn_health(folder.path(), &by_bap);
    let answer = told(&known.env("BECKN_HEALTH_TOKEN", &up.token).output().unwrap(), 1);
    assert!(answer.contains("no transaction of yours has this id"), "{answer}");
}

#[test]
fn what_is_missing_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        beckn_health(folder.path(), arguments).envs(variables.iter().copied()).output().unwrap()
    };
    let no_region = told(&run(&["dlq", "list"], &[]), 1);
    assert!(no_region.contains("no AWS region is set: set AWS_REGION"), "{no_region}");
    let no_credentials = told(&run(&["dlq", "list"], &[("AWS_REGION", "eu-west-1")]), 1);
    assert!(no_credentials.contains("no usable AWS credentials were found; set AWS_PROFILE"), "{no_credentials}");
    let nobody = told(&run(&["dlq", "list"], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]), 1);
    assert!(nobody.contains("http://127.0.0.1:9 does not answer; check AWS_ENDPOINT_URL"), "{nobody}");
    for wrong in [
        &["dlq", "list", "--deployment", "my_net-"][..],
        &["dlq", "show", "bpp-callbacks", "--max", "0"],
        &["registry", "add", "--subscriber-id", "app.example"],
        &["trace", "t-1", "--url", "http://x", "--deployment", "beckn-health-dev"],
        &["env", "doctor", "--aws-port", "1"],
        &["catalogue", "load", "x.json", "--timeout", "5"],
    ] {
        told(&run(wrong, &[]), 2);
    }
    let missing = told(&run(&["catalogue", "load", "absent.json"], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]), 1);
    assert!(missing.contains("absent.json cannot be read"), "{missing}");
}
