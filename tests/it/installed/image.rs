//! The image's program in an otherwise empty root: it must resolve names by itself, and use TLS in both directions.
//!
//! A program that is linked statically with the GNU library resolves names without any of the machine's files. One that is not,
//! or that a later library makes depend on some, fails here.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;

use super::{DEPLOYMENT, Installed, NAMESPACE};
use crate::bed::{Image, Names, Options, Pod};

/// The API server as pods know it, a name that its own certificate has.
const API_SERVER: &str = "kubernetes.default.svc";
/// What it is looked up as, in the end.
const IN_FULL: &str = "kubernetes.default.svc.cluster.local";

#[test]
fn nothing_but_the_image_is_needed_to_guard_a_cluster() {
    let Some(image) = Image::find() else { return };
    let Some(mut installed) = Installed::new(&Options::default()) else {
        return;
    };
    installed.apply_example("shop-namespace.yaml").expect_success();
    installed.apply_example("orders-persona.yaml").expect_success();
    let nameserver = nameserver();
    let names = [
        Names {
            api_server: API_SERVER.to_owned(),
            hosts: format!("127.0.0.1 localhost\n127.0.0.1 {API_SERVER}\n"),
            resolver: String::new(),
        },
        Names {
            api_server: API_SERVER.to_owned(),
            hosts: "127.0.0.1 localhost\n".to_owned(),
            resolver: format!(
                "search {NAMESPACE}.svc.cluster.local svc.cluster.local cluster.local\nnameserver {nameserver}\n\
                 options ndots:5\n"
            ),
        },
    ];
    for names in names {
        let pod = Pod::of_image(&installed.bed, NAMESPACE, DEPLOYMENT, image.lay_out(names));
        installed.webhook.send_to(&pod);
        installed.pods.push(pod);
        // Ready means: connected to the API server by its name, everything listed, a certificate to serve.
        installed.pods[0].until_ready();
        installed.until_guarded();
        let pod = installed.pods.remove(0);
        installed.webhook.forget(&pod);
    }
}

/// A nameserver for one name, on an address of the loopback network that is this process' own, since a resolver knows no
/// port but 53.
fn nameserver() -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 78, high, low);
    let socket = UdpSocket::bind((address, 53)).expect("port 53 of a loopback address");
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut question) {
            // A client that sends again gets the next answer.
            drop(socket.send_to(&answer(&question[..length]), client));
        }
    });
    address
}

/// The answer to one question (RFC 1035, section 4): an A record for the one name, nothing for its other types, and no such
/// name for any other.
fn answer(question: &[u8]) -> Vec<u8> {
    let (mut at, mut name) = (12, Vec::new());
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        name.push(String::from_utf8_lossy(&question[at + 1..end]).into_owned());
        at = end;
    }
    let end = at + 5;
    let (known, wants_a) = (name.join(".") == IN_FULL, question[at + 1..at + 3] == [0, 1]);
    let answers = u8::from(known && wants_a);
    let code = if known { 0 } else { 3 };
    // An authoritative answer, with recursion as requested: one question, `answers` answers, nothing else.
    let mut packet = question[..2].to_vec();
    packet.extend([0x85, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    packet.extend(&question[12..end]);
    if answers == 1 {
        // The name is the question's; A, Internet, for 30 s, four bytes.
        packet.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]);
        packet.extend(Ipv4Addr::LOCALHOST.octets());
    }
    packet
}

#[test]
fn the_nameserver_knows_one_name_and_one_type_of_it() {
    let question = |name: &str, kind: u8| {
        let mut packet = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            packet.push(u8::try_from(label.len()).unwrap());
            packet.extend(label.as_bytes());
        }
        packet.extend([0, 0, kind, 0, 1]);
        packet
    };
    let found = answer(&question(IN_FULL, 1));
    assert_eq!((found[3], found[7]), (0x80, 1));
    assert!(found.ends_with(&[0, 4, 127, 0, 0, 1]), "{found:?}");
    let other_type = answer(&question(IN_FULL, 28));
    assert_eq!((other_type[3], other_type[7]), (0x80, 0));
    let other_name = answer(&question("kubernetes.default.svc.svc.cluster.local", 1));
    assert_eq!((other_name[3], other_name[7]), (0x83, 0));
}
