//! Every published spec under every parameterization and optimizer: the verdict, and how many parameters have which learning rate. One line
//! each, so that a change of a rule shows where it matters.

use std::collections::BTreeMap;
use std::fmt::Write;

use mupc::optimizer::Optimizer;
use mupc::parameterization::Named;

/// A table or an error that names an operation; never anything else.
fn line(network: &mupc::Network, named: Named, optimizer: Optimizer) -> String {
    let table = match network.table(named, optimizer) {
        Ok(table) => table,
        Err(errors) => {
            assert!(errors.items.iter().all(|error| !error.labels.is_empty()), "{errors}");
            return format!("error: {}", errors.items[0].message);
        }
    };
    let names = table.symbols();
    let mut rates = BTreeMap::<String, usize>::new();
    for rate in table.parameters.iter().filter_map(|row| row.learning_rate.as_ref()) {
        *rates.entry(rate.display(&names).to_string()).or_default() += 1;
    }
    let rates: Vec<String> = rates.iter().map(|(rate, count)| format!("{rate} ({count})")).collect();
    let found = network.classify(named, optimizer).unwrap();
    format!("{} | {}", found.verdict, rates.join(", "))
}

#[test]
fn every_spec_under_everything() {
    insta::glob!("../specs", "*.mup", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let network = mupc::compile(&text).unwrap_or_else(|errors| panic!("{errors}"));
        let mut report = String::new();
        for named in Named::ALL {
            let mut last = String::new();
            for optimizer in Optimizer::ALL {
                let line = line(&network, named, optimizer);
                match line == last {
                    true => writeln!(report, "{named} {optimizer}: the same").unwrap(),
                    false => writeln!(report, "{named} {optimizer}: {line}").unwrap(),
                }
                last = line;
            }
        }
        insta::assert_snapshot!(report);
    });
}
