//! The infinite-width limit of specs: kernels against published values, against each other, and at the edges.

#[cfg(target_os = "linux")]
#[path = "common/interrupt.rs"]
mod interrupt;
#[path = "common/page.rs"]
mod page;

#[path = "kernels/attention.rs"]
mod attention;
#[path = "kernels/cli.rs"]
mod cli;
#[path = "kernels/duals.rs"]
mod duals;
#[path = "kernels/finite.rs"]
mod finite;
#[path = "kernels/golden.rs"]
mod golden;
#[path = "kernels/metamorphic.rs"]
mod metamorphic;
#[path = "kernels/prediction.rs"]
mod prediction;
#[path = "kernels/sampled.rs"]
mod sampled;

use mupc::graph::NodeId;
use mupc::kernel::{Gram, Limit, NoLimit, Parameterization, Points, Prior};
use mupc::rational::Rational;

/// A network with how its weights start.
pub struct Case {
    /// What it computes.
    pub network: mupc::Network,
    /// How its weights start.
    pub prior: Prior,
    /// The values of its scale symbols.
    pub values: Vec<Rational>,
}

impl Case {
    /// A spec with variances by the beginning of parameter paths; a bias becomes random.
    pub fn new(spec: &str, variances: &[(&str, f64)]) -> Case {
        let network = mupc::compile(spec).unwrap_or_else(|error| panic!("{error}"));
        let mut prior = Prior::new(&network.graph, Parameterization::Ntk, 1.0);
        for (start, variance) in variances {
            let params = network.graph.params.iter().zip(&mut prior.params);
            let mut found = 0;
            for (_, own) in
                params.filter(|(param, _)| param.path.starts_with(start) || param.path.ends_with(start))
            {
                own.variance = *variance;
                own.constant = own.constant.filter(|value| *value != 0.0);
                found += 1;
            }
            assert!(found > 0, "no parameter `{start}`");
        }
        let values = network.graph.scales.iter().map(|scale| scale.base).collect();
        Case { network, prior, values }
    }

    /// The tensor whose kernels are asked for.
    pub fn output(&self) -> NodeId {
        self.network.graph.outputs[0]
    }

    /// Its limit, with the tangent.
    pub fn limit(&self) -> Result<Limit, NoLimit> {
        Limit::new(&self.network.graph, &self.values, &self.prior, self.output(), true)
    }

    /// The kernels of some points.
    pub fn gram(&self, points: &Points) -> Gram {
        self.limit().unwrap_or_else(|error| panic!("{error}")).gram(points, &())
    }
}

/// The network of most golden values: two hidden layers of relu, with random biases.
pub fn relu_with_biases() -> Case {
    let spec = golden::perceptron(2, "affine", "relu");
    Case::new(&spec, &[("l", 2.0), ("last", 1.0), ("bias", 0.01)])
}
