//! How to keep a network's derived scaling in a test.
//!
//! The `Display` of a table and of a verdict is stable: equal derivations give equal texts. So a snapshot test shows at review, as
//! a diff of a table, what an edit of the spec does to every learning rate and initialization. `cargo test --example snapshot_test` runs it;
//! here the snapshots stand in the code, so that one file shows everything.

use mupc::{Named, Optimizer};

/// The network under test; in a project it would be `include_str!("model.mup")`.
const SPEC: &str = "
network perceptron
scale n = 256
input image[784]
target label in 10
x = relu(linear(image, n) as fc1)
x = relu(linear(x, n) as fc2)
loss cross_entropy(readout(x, 10), label)
";

fn main() -> Result<(), mupc::diagnostic::Diagnostics> {
    let network = mupc::compile(SPEC)?;
    println!("{}", network.table(Named::Mup, Optimizer::Adam)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaling_table_is_the_one_we_reviewed() {
        let network = mupc::compile(SPEC).unwrap();
        insta::assert_snapshot!(network.table(Named::Mup, Optimizer::Adam).unwrap(), @r"
        perceptron · mup · adam · native form (as derived; for muP the form of TP-V Table 3)
        n = 256

        parameter       shape    role         multiplier  init std  LR    eps   weight decay
        ─────────────────────────────────────────────────────────────────────────────────────
        fc1.weight      n × 784  input-like   1           1         1     n^-1  1
        fc2.weight      n × n    hidden       1           n^-1/2    n^-1  n^-1  n
        readout.weight  10 × n   output-like  1           n^-1      n^-1  1     n

        assumptions
          • limit: n goes to infinity; all else is Θ(1)
          • batch size and number of steps: Θ(1); data: entries of size 1, correlated
          • updates: aligned with activations over the whole fan-in
          • readouts: initial weights align with changed features (strict stability)
          • optimizer: steps normalized entrywise; weight decay acts as rate times decay times weight (torch AdamW)
        ");
    }

    #[test]
    fn training_learns_features_whatever_the_optimizer() {
        let network = mupc::compile(SPEC).unwrap();
        for optimizer in Optimizer::ALL {
            let findings = network.classify(Named::Mup, optimizer).unwrap();
            assert!(findings.learns_features(), "{findings}");
        }
    }

    #[test]
    fn a_single_exponent_can_be_pinned_too() {
        let network = mupc::compile(SPEC).unwrap();
        let table = network.table(Named::Mup, Optimizer::Sgd).unwrap();
        let hidden = table.parameters.iter().find(|row| row.name == "fc2.weight").unwrap();
        assert_eq!(hidden.init_std.display(&table.symbols()).to_string(), "n^-1/2");
        assert!(hidden.learning_rate.as_ref().is_some_and(mupc::dim::Monomial::is_one));
    }
}
