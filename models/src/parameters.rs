//! A network's weights.

use std::collections::HashMap;

use candle_core::{Device, Var};

use crate::{Error, Result};

/// A network's weights, by name and in the list's order.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    names: Vec<String>,
    trainable: Vec<bool>,
    vars: Vec<Var>,
    index: HashMap<String, usize>,
}

impl Parameters {
    /// Appends a parameter as `<layer>.<parameter>`.
    pub(crate) fn push(&mut self, name: String, var: Var, trainable: bool) {
        self.index.insert(name.clone(), self.vars.len());
        self.names.push(name);
        self.trainable.push(trainable);
        self.vars.push(var);
    }

    /// A parameter as `<layer>.<parameter>`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if there is none of that name.
    pub fn get(&self, name: &str) -> Result<&Var> {
        self.index.get(name).map(|&i| &self.vars[i]).ok_or_else(|| Error::Parameter {
            name: name.to_string(),
            message: "the network has no parameter of that name".to_string(),
        })
    }

    /// Name and value of each, in the list's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.names.iter().map(String::as_str).zip(&self.vars)
    }

    /// Those that an optimiser moves, in the list's order.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.iter().zip(&self.trainable).filter(|&(_, &t)| t).map(|(p, _)| p)
    }

    /// A copy with storage of its own.
    ///
    /// # Errors
    /// Candle's, if the device has no room.
    pub fn copy(&self) -> Result<Parameters> {
        let vars = self.vars.iter().map(|v| Ok(Var::from_tensor(&v.copy()?)?));
        Ok(Parameters { vars: vars.collect::<Result<_>>()?, ..self.clone() })
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        self.vars.first().map_or(&Device::Cpu, |v| v.device())
    }
}
