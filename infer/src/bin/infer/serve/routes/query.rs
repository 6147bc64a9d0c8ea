//! Parameters of an address: each is known, has a value of its kind, and stands there once.

use axum::extract::{FromRequestParts, Query as RawQuery};
use axum::http::request::Parts;

use crate::serve::answer::{Refusal, as_parameters};

/// Longer ones are nobody's.
const LONGEST: usize = 4096;

/// The parameters that are left to be taken.
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let length = parts.uri.query().map_or(0, str::len);
        if length > LONGEST {
            return Err(Refusal::bad(format!(
                "the address has {length} bytes of parameters, expected {LONGEST} at most"
            )));
        }
        let pairs = RawQuery::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let RawQuery(pairs) =
            pairs.map_err(|error| Refusal::bad(format!("the address's parameters: {error}")))?;
        Ok(Self(pairs))
    }
}

impl Query {
    #[cfg(test)]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    /// Takes a parameter's text, if it is there.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(place) = self.0.iter().position(|(known, _)| known == name) else { return Ok(None) };
        let (_, value) = self.0.remove(place);
        match self.0.iter().any(|(known, _)| known == name) {
            true => Err(Refusal::bad(format!("parameter {name} stands there twice"))),
            false => Ok(Some(value)),
        }
    }

    /// Takes a parameter's value, if it is there.
    pub fn value<T>(
        &mut self,
        name: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let parsed = parse(&text);
        parsed.map(Some).map_err(|expected| {
            Refusal::bad(format!("parameter {name} is {}: {expected}", contract::visible(&text)))
        })
    }

    /// The least confidence, if images are to be verified: `verify` alone, or a number.
    pub fn verify(&mut self) -> Result<Option<f64>, Refusal> {
        self.value("verify", |text| match text {
            "" => Ok(0.5),
            text => crate::verification::threshold(text),
        })
    }

    /// That nothing is left.
    pub fn end(self, known: &[&str]) -> Result<(), Refusal> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let (name, known) = (contract::visible(name), known.join(", "));
                Err(Refusal::bad(format!("parameter {name} is not known here; expected {known}")))
            }
        }
    }

    /// The arguments of a command line that say the same. `known` are options that take a value, `flags`
    /// those that take none.
    pub fn arguments(self, known: &[&str], flags: &[&str]) -> Result<Vec<String>, Refusal> {
        let mut arguments = Vec::new();
        for (name, value) in self.0 {
            if name == "verify" && value.is_empty() && known.contains(&"verify") {
                // With the threshold that it has by itself.
                arguments.push("--verify".into());
            } else if known.contains(&name.as_str()) {
                arguments.push(format!("--{name}={value}"));
            } else if flags.contains(&name.as_str()) {
                match value.as_str() {
                    "" | "1" | "true" => arguments.push(format!("--{name}")),
                    "0" | "false" => {}
                    _ => return Err(Refusal::bad(format!("parameter {name} is true or false"))),
                }
            } else {
                return Query(vec![(name, value)]).end(&[known, flags].concat()).map(|()| Vec::new());
            }
        }
        Ok(arguments)
    }
}

/// What clap says of arguments, as one sentence about parameters.
pub fn refused(error: &clap::Error) -> Refusal {
    let text = error.to_string();
    let sentence = text.split("\n\n").next().unwrap_or(&text);
    Refusal::bad(as_parameters(sentence.strip_prefix("error: ").unwrap_or(sentence)))
}

#[cfg(test)]
mod tests {
    use contract::number::large;

    use super::*;

    fn message<T>(refused: Result<T, Refusal>) -> String {
        refused.err().map(|refusal| refusal.message).unwrap_or_default()
    }

    #[test]
    fn parameters_are_known_and_stand_there_once() {
        let mut query = Query::of(&[("seed", "7"), ("verify", ""), ("x\n", "1")]);
        assert_eq!(query.value("seed", large::<0>).unwrap(), Some(7));
        assert_eq!(query.value("index", large::<0>).unwrap(), None);
        assert_eq!(query.verify().unwrap(), Some(0.5));
        assert!(message(query.end(&["seed", "verify"])).contains("is not known here; expected seed, verify"));
        let twice = message(Query::of(&[("seed", "7"), ("seed", "8")]).value("seed", large::<0>));
        assert!(twice.contains("twice"), "{twice}");
        let wrong = message(Query::of(&[("seed", "-7")]).value("seed", large::<0>));
        assert!(wrong.contains("seed is -7: expected a whole number from 0 to"), "{wrong}");
    }

    #[test]
    fn parameters_become_arguments() {
        let query = Query::of(&[("seed", "7"), ("captions", "1"), ("quiet", "")]);
        assert!(message(query.arguments(&["seed"], &["captions"])).contains("expected seed, captions"));
        let query = Query::of(&[("verify", ""), ("scale", "")]);
        assert_eq!(query.arguments(&["scale", "verify"], &[]).unwrap(), ["--verify", "--scale="]);
        let query = Query::of(&[("seed", "--out=x"), ("captions", "true"), ("captions", "false")]);
        assert_eq!(query.arguments(&["seed"], &["captions"]).unwrap(), ["--seed=--out=x", "--captions"]);
    }
}
