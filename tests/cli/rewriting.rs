//! `mupc fmt` on files: in place, all or nothing, and the same file afterwards.

use std::fs;
use std::path::Path;

use super::{MLP, folder, mupc, output, refusal, stdout};

const UNTIDY: &str = "network   a\ninput x[ 3 ]\nloss   sum( x )\n";
const TIDY: &str = "network a\ninput x[3]\nloss sum(x)\n";

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_spec_is_in_canonical_form() {
    let mut args = vec!["fmt".to_string(), "--check".to_string()];
    for folder in ["specs", "specs/prelude", "tests/specs"] {
        let specs = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
        args.extend(specs.filter(|path| path.extension().is_some()).map(|path| path.display().to_string()));
    }
    assert!(args.len() > 20);
    stdout(&args.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn files_are_rewritten_in_place() {
    let folder = folder("rewriting");
    let (path, link) = (folder.join("a.mup"), folder.join("link.mup"));
    fs::write(&path, UNTIDY).unwrap();
    let check = output(&["fmt", "--check", path.to_str().unwrap()], 1);
    let remarks = String::from_utf8(check.stderr).unwrap();
    assert!(remarks.contains("a.mup:1: not in canonical form"), "{remarks}");
    assert_eq!(text(&path), UNTIDY, "--check writes nothing");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(stdout(&["fmt", link.to_str().unwrap()]), "");
    assert_eq!(text(&path), TIDY);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "the link is still one");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left behind");
    stdout(&["fmt", "--check", path.to_str().unwrap()]);
}

#[test]
fn permissions_stay() {
    use std::os::unix::fs::PermissionsExt;
    let path = folder("permissions").join("a.mup");
    fs::write(&path, UNTIDY).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    stdout(&["fmt", path.to_str().unwrap()]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn one_error_and_no_file_is_touched() {
    let folder = folder("untouched");
    let (good, bad) = (folder.join("good.mup"), folder.join("bad.mup"));
    fs::write(&good, UNTIDY).unwrap();
    fs::write(&bad, "network a\ninput x[3\n").unwrap();
    let report = refusal(&["fmt", good.to_str().unwrap(), bad.to_str().unwrap()]);
    assert!(report.contains("error[syntax]") && report.contains("bad.mup"), "{report}");
    assert_eq!(text(&good), UNTIDY);
}

#[test]
fn from_standard_input_to_standard_output() {
    mupc(&["fmt", "-"]).write_stdin(UNTIDY).assert().success().stdout(TIDY);
    mupc(&["fmt", "--check", "-"]).write_stdin(UNTIDY).assert().code(1).stdout("");
    let spec = text(Path::new(MLP));
    mupc(&["fmt", "-"]).write_stdin(spec.clone()).assert().success().stdout(spec);
}
