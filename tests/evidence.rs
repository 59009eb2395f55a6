//! Every published spec, checked by training under muP: nothing is above its prediction. The record is docs/evidence/check.md.

use assert_cmd::Command;

#[test]
#[ignore = "takes ten minutes in a release build; docs/evidence/check.md has what it found"]
fn every_published_spec_passes_under_mup() {
    let files = std::fs::read_dir("specs").unwrap().map(|entry| entry.unwrap().path());
    let mut specs: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "mup")).collect();
    specs.sort();
    assert!(specs.len() >= 23);
    let mut refuted = Vec::new();
    for spec in specs {
        let spec = spec.to_str().unwrap();
        let small = ["siamese-koch", "dcgan", "unet", "resnet18"].iter().any(|name| spec.contains(name));
        for optimizer in ["adam", "sgd"] {
            let batch = if small { "8" } else { "16" };
            let output = Command::cargo_bin("mupc")
                .unwrap()
                .args(["check", spec, "-q", "-o", optimizer, "--batch", batch, "--steps", "1,3"])
                .output()
                .unwrap();
            if output.status.code() != Some(0) {
                let text =
                    String::from_utf8_lossy(&output.stdout).lines().take(4).collect::<Vec<_>>().join("\n");
                refuted.push(format!("{spec} {optimizer}: {text}"));
            }
        }
    }
    assert!(refuted.is_empty(), "{refuted:#?}");
}
