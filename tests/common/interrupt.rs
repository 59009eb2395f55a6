//! Interrupts, as Ctrl-C sends them.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Starts the program, interrupts it so many milliseconds after it can be (on a busy machine when it has had as many of a processor), and waits for its
/// end: what it wrote, and its exit status.
pub fn interrupted(line: &str, milliseconds: u64) -> (String, Option<i32>) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("mupc"))
        .args(line.split(' '))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The handler is there once the process catches signal 2.
    let id = child.id();
    let catches = || {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim);
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & 2 != 0)
    };
    while !catches() {
        assert!(child.try_wait().unwrap().is_none(), "`{line}` has ended before");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(milliseconds));
    while processor_milliseconds(id) < milliseconds && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let mut text = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
    (text, child.wait().unwrap().code())
}

/// How long a process has had processors, in steps of ten milliseconds.
fn processor_milliseconds(id: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<u64>() * 10
}
