//! A small regression problem: a few inputs with their targets.

/// Inputs and targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problem {
    /// Numbers per input.
    pub inputs: usize,
    /// Numbers per target.
    pub outputs: usize,
    x: Vec<f64>,
    y: Vec<f64>,
}

/// Inputs and targets of one example.
pub type Example = (Vec<f64>, Vec<f64>);

/// Why examples are no problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// There are none.
    #[error("there are no examples")]
    Empty,
    /// They differ in length.
    #[error("example {0} has {1} inputs and {2} targets, the first one has {3} and {4}")]
    Ragged(usize, usize, usize, usize, usize),
    /// A number is none.
    #[error("example {0} holds a number that is not finite")]
    NotFinite(usize),
}

impl Problem {
    /// From pairs of input and target.
    ///
    /// # Errors
    /// If there are none, if they differ in length, or if a number is not finite.
    pub fn new(examples: &[Example]) -> Result<Problem, ProblemError> {
        let (first_x, first_y) = examples.first().ok_or(ProblemError::Empty)?;
        let (inputs, outputs) = (first_x.len(), first_y.len());
        for (at, (x, y)) in examples.iter().enumerate() {
            if (x.len(), y.len()) != (inputs, outputs) || inputs == 0 || outputs == 0 {
                return Err(ProblemError::Ragged(at + 1, x.len(), y.len(), inputs, outputs));
            }
            if x.iter().chain(y).any(|number| !number.is_finite()) {
                return Err(ProblemError::NotFinite(at + 1));
            }
        }
        let x = examples.iter().flat_map(|(x, _)| x.clone()).collect();
        let y = examples.iter().flat_map(|(_, y)| y.clone()).collect();
        Ok(Problem { inputs, outputs, x, y })
    }

    /// Points on a circle with the target cos theta + cos(2 theta) / 2, which no linear function has.
    pub fn circle(count: usize) -> Problem {
        let angle = |at: usize| std::f64::consts::TAU * (at as f64 + 0.25) / count as f64;
        let x = (0..count).flat_map(|at| [angle(at).cos(), angle(at).sin()]).collect();
        let y = (0..count).map(|at| angle(at).cos() + 0.5 * (2.0 * angle(at)).cos()).collect();
        Problem { inputs: 2, outputs: 1, x, y }
    }

    /// How many examples.
    pub fn count(&self) -> usize {
        self.x.len() / self.inputs.max(1)
    }

    /// Inputs with their targets.
    pub fn examples(&self) -> impl Iterator<Item = (&[f64], &[f64])> {
        self.x.chunks(self.inputs.max(1)).zip(self.y.chunks(self.outputs.max(1)))
    }

    /// All inputs, one behind the other.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// All targets, one behind the other.
    pub fn y(&self) -> &[f64] {
        &self.y
    }

    /// The mean over examples of |f - y|^2 / 2.
    pub fn loss(&self, f: &[f64]) -> f64 {
        let squares: f64 = f.iter().zip(&self.y).map(|(f, y)| (f - y).powi(2)).sum();
        0.5 * squares / self.count().max(1) as f64
    }
}
