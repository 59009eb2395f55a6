//! What the lowering makes of specs.

#[path = "lowering/dump.rs"]
mod dump;

#[test]
fn specs_lower() {
    for entry in std::fs::read_dir("specs").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "mup") {
            let text = std::fs::read_to_string(&path).unwrap();
            match mupc::compile_with(path.to_str().unwrap(), &text, &mut mupc::loader::NoFiles) {
                Ok(network) => println!("{}", dump::dump(&network.graph)),
                Err(errors) => panic!("{}:\n{errors}", path.display()),
            }
        }
    }
}
