//! `--verify`: the judge that is asked for, and what became of it.

use std::path::Path;

use clap::Args;
use contract::dataset::manifest::Verification;
use infer::{Error, Generator, Judge, ModelFile, ModelSource, Options, verify::Verifier};

use crate::{common::model_file, shipped::shipped_judge};

#[derive(Debug, Args)]
pub struct Verify {
    /// Draw anew what a judge does not read as its label, or with less confidence than this, from 0
    /// to 1 [default: 0.5]
    #[arg(long, value_name = "THRESHOLD", num_args = 0..=1, default_missing_value = "0.5", value_parser = threshold)]
    verify: Option<f64>,
    /// The judge, a file that `cargo export --checkpoint judge.safetensors` wrote [default: the one
    /// that comes with infer, which reads MNIST's digits]
    #[arg(long, value_name = "FILE", requires = "verify", value_parser = model_file())]
    judge: Option<ModelFile>,
}

/// Parses a confidence.
pub fn threshold(text: &str) -> Result<f64, String> {
    (text.parse().ok())
        .filter(|threshold| (0.0..=1.0).contains(threshold))
        .ok_or_else(|| "expected a number from 0 to 1".into())
}

impl Verify {
    fn source(&self) -> ModelSource<'_> {
        match &self.judge {
            Some(file) => file.source(),
            None => shipped_judge(),
        }
    }

    /// The least confidence, if images are to be verified.
    pub fn threshold(&self) -> Option<f64> {
        self.verify
    }

    /// The judge's file, if one is named.
    pub fn path(&self) -> Option<&Path> {
        self.judge.as_ref().map(ModelFile::path)
    }

    /// What is asked for, if it is, with nothing verified yet.
    pub fn request(&self) -> Result<Option<Verification>, Error> {
        let Some(threshold) = self.verify else { return Ok(None) };
        let source = self.source();
        let (judge, judge_sha256) = (source.name(), source.sha256()?);
        Ok(Some(Verification { judge, judge_sha256, threshold, redrawn: 0, redraws: 0 }))
    }

    /// Loads the judge, if one is asked for, for this generator's pictures.
    pub fn load(&self, generator: &Generator, options: &Options) -> Result<Option<Verifier>, Error> {
        let Some(threshold) = self.verify else { return Ok(None) };
        let judge = Judge::load(&self.source(), generator, options)?;
        Ok(Some(Verifier::new(judge, threshold)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_a_probability() {
        assert_eq!(["0", "0.95", "1"].map(threshold), [Ok(0.0), Ok(0.95), Ok(1.0)]);
        for text in ["-0.1", "1.01", "95%", "NaN", "inf", ""] {
            assert!(threshold(text).is_err(), "{text}");
        }
    }
}
