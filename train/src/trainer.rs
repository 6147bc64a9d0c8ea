//! One iteration: D once, then G, in the reference recipe twice, with the same z and labels.

use candle_core::{DType, Device, Tensor};
use models::checkpoint::{Checkpoint, Contents};
use models::ops::Factors;
use models::{Architecture, Gradients, Network, Parameters, Result, Wanted, gradients};

use crate::adam::Adam;
use crate::augmentation::{Changes, Pair};
use crate::average;
use crate::figures::Figures;
use crate::guide::Guide;
use crate::lecam::LeCam;
use crate::loss;
use crate::numbers::{Numbers, Slots};
use crate::projected::Projected;
use crate::recipe::Recipe;
use crate::replay::{Batch, Conditions, Replay};
use crate::schedule::Schedule;
use crate::streams::Purpose;

/// Both networks, their weights and optimisers, and the generator's average.
pub struct Trainer {
    recipe: Recipe,
    /// How the learning rates change; by default they don't.
    pub schedule: Schedule,
    /// The classifier that G learns from too, where the recipe asks for one.
    pub guide: Option<Guide>,
    /// Key of what an iteration draws itself: how pictures are changed for D.
    pub seed: u64,
    /// G's list.
    pub generator: Network,
    /// D's list.
    pub discriminator: Network,
    /// G's weights.
    pub g: Parameters,
    /// D's weights.
    pub d: Parameters,
    /// The moving average of G's weights.
    pub average: Parameters,
    adam_g: Adam,
    adam_d: Adam,
    lecam: Option<LeCam>,
    /// The discriminators of what the guide sees, where the recipe asks for such.
    projected: Option<Projected>,
    iterations: u64,
    /// Iterations through a CUDA graph, where they go through one.
    replay: Option<Replay>,
}

impl Trainer {
    /// New networks, their weights drawn from `seed`.
    ///
    /// # Errors
    /// If a size is too small for the strides; Candle's.
    pub fn new(networks: &Architecture, recipe: Recipe, seed: u64, device: &Device) -> Result<Trainer> {
        let (generator, discriminator) = (networks.generator()?, networks.discriminator()?);
        let g = generator.initialise(seed, device)?;
        // Any key but G's will do.
        let d = discriminator.initialise(!seed, device)?;
        let trainer = Trainer::with_weights((generator, g), (discriminator, d), recipe)?;
        let new = || Projected::new(networks, !seed, recipe.adam_d(), device);
        let projected = (recipe.projected > 0.).then(new).transpose()?;
        Ok(Trainer { seed, projected, ..trainer })
    }

    /// Networks that start from given weights.
    ///
    /// # Errors
    /// Candle's, if the device has no room.
    pub fn with_weights(
        (generator, g): (Network, Parameters),
        (discriminator, d): (Network, Parameters),
        recipe: Recipe,
    ) -> Result<Trainer> {
        Ok(Trainer {
            recipe,
            schedule: Schedule::CONSTANT,
            guide: None,
            seed: 0,
            average: g.copy()?,
            adam_g: Adam::new(recipe.adam, &g)?,
            adam_d: Adam::new(recipe.adam_d(), &d)?,
            lecam: (recipe.lecam > 0.).then(|| LeCam::new(DType::F32, d.device())).transpose()?,
            projected: None,
            generator,
            discriminator,
            g,
            d,
            iterations: 0,
            replay: None,
        })
    }

    /// Goes on from a checkpoint that [`Trainer::save`] made.
    ///
    /// # Errors
    /// If a tensor is missing or of another shape; Candle's.
    pub fn load(checkpoint: &Checkpoint, recipe: Recipe, device: &Device) -> Result<Trainer> {
        let networks = checkpoint.header.architecture;
        let iterations = checkpoint.header.provenance.iterations;
        let (generator, discriminator) = (networks.generator()?, networks.discriminator()?);
        let g = checkpoint.parameters("generator", &generator, device)?;
        let d = checkpoint.parameters("discriminator", &discriminator, device)?;
        let updates = iterations * recipe.generator_updates as u64;
        let saved = || Projected::load(&networks, (checkpoint, iterations), recipe.adam_d(), device);
        let projected = (recipe.projected > 0.).then(saved).transpose()?;
        Ok(Trainer {
            recipe,
            schedule: Schedule::CONSTANT,
            guide: None,
            seed: checkpoint.header.provenance.seed,
            average: checkpoint.parameters("average", &generator, device)?,
            adam_g: Adam::load(recipe.adam, updates, checkpoint, "adam.generator", &g)?,
            adam_d: Adam::load(recipe.adam_d(), iterations, checkpoint, "adam.discriminator", &d)?,
            lecam: (recipe.lecam > 0.).then(|| LeCam::load(checkpoint, DType::F32, device)).transpose()?,
            projected,
            generator,
            discriminator,
            g,
            d,
            iterations,
            replay: None,
        })
    }

    /// Everything that [`Trainer::load`] needs.
    pub fn save(&self, contents: &mut Contents) {
        contents.parameters("generator", &self.g);
        contents.parameters("discriminator", &self.d);
        contents.parameters("average", &self.average);
        self.adam_g.save(contents, "adam.generator", &self.g);
        self.adam_d.save(contents, "adam.discriminator", &self.d);
        if let Some(lecam) = &self.lecam {
            lecam.save(contents);
        }
        if let Some(projected) = &self.projected {
            projected.save(contents);
        }
    }

    /// The first weights, of G, any discriminator or the average, that hold a number which is not finite.
    ///
    /// # Errors
    /// Candle's.
    pub fn broken(&self) -> Result<Option<String>> {
        let networks = [("generator", &self.g), ("discriminator", &self.d), ("average", &self.average)];
        let networks = networks.map(|(name, parameters)| (name.to_string(), parameters)).into_iter();
        for (network, parameters) in networks.chain(self.projected.iter().flat_map(Projected::parameters)) {
            for (name, value) in parameters.iter() {
                // 0 times infinity or NaN is NaN, and so is any sum with it.
                let sum = (value.as_tensor() * 0.)?.sum_all()?.to_dtype(DType::F64)?;
                if sum.to_scalar::<f64>()?.is_nan() {
                    return Ok(Some(format!("{network}.{name}")));
                }
            }
        }
        Ok(None)
    }

    /// Rounds the factors of all matrix products of iterations.
    pub fn round(&mut self, factors: Factors) {
        for network in [&mut self.generator, &mut self.discriminator] {
            *network = network.clone().with_factors(factors);
        }
        if let Some(guide) = &mut self.guide {
            guide.round(factors);
        }
        if let Some(projected) = &mut self.projected {
            projected.round(factors);
        }
    }

    /// Iterations done.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Sends iterations through a CUDA graph from now on, if the networks are on a CUDA device: see
    /// [`replay`](crate::replay).
    pub fn use_cuda_graphs(&mut self) {
        self.replay = self.g.device().is_cuda().then(Replay::default);
    }

    /// Why iterations don't go through a CUDA graph though they were sent there, once.
    pub fn graph_failure(&mut self) -> Option<String> {
        self.replay.as_mut()?.failure()
    }

    /// One iteration on pictures `x`, labels `y` and latents `z`. Networks without labels don't look at
    /// `y`.
    ///
    /// # Shapes
    /// `x` (N, C, H, W) from [`Architecture::black`] to 1, `y` (N) of u32, `z` (N, latent)
    ///
    /// # Errors
    /// Candle's, or if the shapes don't fit the networks.
    pub fn iteration(&mut self, x: &Tensor, y: &Tensor, z: &Tensor) -> Result<Figures> {
        let Recipe { mismatch, contrast, .. } = self.recipe;
        let wrong = match self.discriminator.classes() {
            Some(classes @ 2..) if mismatch.max(contrast) > 0. => {
                Some(wrong_labels(y, classes, self.iterations)?)
            }
            _ => None,
        };
        let draw = |of, purpose| Pair::draw(of, (self.seed, purpose, self.iterations), x);
        let augmented = self.recipe.augmentation().map(|of| draw(of, Purpose::Augmentation)).transpose()?;
        let copies = self.recipe.copies().map(|of| draw(of, Purpose::Consistency)).transpose()?;
        let batch = Batch { x: x.clone(), y: y.clone(), z: z.clone(), wrong, augmented, copies };
        let numbers = self.advance();
        let Some(mut replay) = self.replay.take() else { return self.iterate(&batch, &numbers, None) };
        let iterate = |batch: &Batch, slots: Option<&Slots>| self.iterate(batch, &numbers, slots);
        let figures = replay.run(self.conditions(numbers.guide), &batch, &numbers, iterate);
        self.replay = Some(replay);
        figures
    }

    /// Counts an iteration: its numbers.
    fn advance(&mut self) -> Numbers {
        let pace = self.schedule.factor(self.iterations);
        let guide = self.recipe.guide_at(self.iterations, &self.schedule);
        self.iterations += 1;
        Numbers {
            guide,
            d: self.adam_d.advance(pace),
            g: (0..self.recipe.generator_updates).map(|_| self.adam_g.advance(pace)).collect(),
            take: average::take(self.recipe.average_keep, self.iterations),
        }
    }

    /// What a graph of an iteration has addresses of, and what it computes with.
    fn conditions(&self, guide_weight: f64) -> Conditions {
        let guide = self.guide.as_ref();
        let projected = self.projected.as_ref();
        let weights = [&self.g, &self.d, &self.average].into_iter().chain(guide.map(Guide::parameters));
        let weights = weights.chain(projected.into_iter().flat_map(Projected::parameters).map(|(_, p)| p));
        let lecam = self.lecam.iter().flat_map(|lecam| [lecam.real.id(), lecam.fake.id()]);
        let networks = [&self.generator, &self.discriminator].map(Network::factors);
        Conditions {
            guide: guide_weight,
            weights: weights
                .flat_map(|weights| weights.iter().map(|(_, value)| value.id()))
                .chain(lecam)
                .collect(),
            factors: (networks.into_iter())
                .chain(guide.map(Guide::factors))
                .chain(projected.into_iter().flat_map(Projected::factors))
                .collect(),
        }
    }

    /// What an iteration asks of the device. It depends on tensors alone, and, where there are no slots for
    /// them, on its numbers; it changes weights, moments and averages in place, and leaves nothing else behind.
    fn iterate(&self, batch: &Batch, numbers: &Numbers, slots: Option<&Slots>) -> Result<Figures> {
        let Trainer { recipe, guide, generator, discriminator, g, d, average, .. } = self;
        let Trainer { adam_g, adam_d, lecam, projected, .. } = self;
        let Batch { x, y, z, wrong, augmented, copies } = batch;
        let (of_real, of_fake) = augmented.as_ref().map(|pair| (&pair.real, &pair.fake)).unzip();

        // (1) update D: real toward 1, or a little less, plus fake toward 0, and, where the recipe has
        // it, real under wrong labels too. Each goes through D separately, with its own batch statistics.
        // What D is shown is augmented where the recipe says so, and two regularisers add to its loss.
        let mut fake = generator.trace(g, z, Some(y))?; //       N, 1, 28, 28
        fake.update_running_averages(generator, g)?;
        let shown = augment(of_real, x)?; //                     N, 1, 28, 28
        let on_real = discriminator.trace(d, &shown, Some(y))?; // N, 1
        let on_fake = discriminator.trace(d, &augment(of_fake, &fake.output)?, Some(y))?;
        let mut toward_real = loss::gradient(&on_real.output, recipe.real_target())?;
        let mut toward_fake = loss::gradient(&on_fake.output, 0.)?;
        if let Some(lecam) = lecam {
            let [real, fake] = lecam.gradients(&on_real.output, &on_fake.output)?;
            toward_real = (toward_real + real * recipe.lecam)?;
            toward_fake = (toward_fake + fake * recipe.lecam)?;
            lecam.update(&on_real.output, &on_fake.output)?;
        }
        let mut from_copies = None;
        if let Some(pair) = copies {
            let (real, from_real) = self.consistency(&on_real.output, &pair.real.apply(x)?, y)?;
            let (fake, from_fake) = self.consistency(&on_fake.output, &pair.fake.apply(&fake.output)?, y)?;
            toward_real = (toward_real + real)?;
            toward_fake = (toward_fake + fake)?;
            from_copies = Some(from_real.plus(&from_fake)?);
        }
        let from_real = on_real.backward(discriminator, d, &toward_real, Wanted::PARAMETERS)?;
        let mut from_fake = on_fake.backward(discriminator, d, &toward_fake, Wanted::PARAMETERS)?;
        if let Some(wrong) = wrong.as_ref().filter(|_| recipe.mismatch > 0.) {
            let on_wrong = discriminator.trace(d, &shown, Some(wrong))?; //   N, 1
            let toward_fake = (loss::gradient(&on_wrong.output, 0.)? * recipe.mismatch)?;
            from_fake =
                from_fake.plus(&on_wrong.backward(discriminator, d, &toward_fake, Wanted::PARAMETERS)?)?;
        }
        if let Some(from_copies) = from_copies {
            from_fake = from_fake.plus(&from_copies)?;
        }
        on_real.update_running_averages(discriminator, d)?;
        on_fake.update_running_averages(discriminator, d)?;
        adam_d.step(d, &from_real, Some(&from_fake), numbers.of_d(slots))?;
        // What the guide makes of them as they are, where there is one, is what other discriminators see.
        let read = |pictures: &Tensor| guide.as_ref().map(|guide| guide.read(pictures)).transpose();
        let mut reading = read(&fake.output)?;
        if let (Some(guide), Some(projected), Some(fake)) = (guide, projected, &reading) {
            let real = guide.read(x)?;
            projected.learn((&real, recipe.real_target()), fake, y, numbers.of_d(slots))?;
        }

        // (2) update G: fake toward 1, through D as it now is, and, where the recipe has it, fake under
        // wrong labels toward 0, toward what the guide reads as its label, and toward 1 through the projected
        // discriminators. The first update's forward pass is the one above: same weights, same z. It moves the
        // running averages again, as two would. Its pictures are augmented as above too.
        let mut logits = on_fake.output.clone();
        for update in 0..recipe.generator_updates {
            if update > 0 {
                fake = generator.trace(g, z, Some(y))?;
                reading = read(&fake.output)?;
            }
            fake.update_running_averages(generator, g)?;
            let shown = augment(of_fake, &fake.output)?;
            let judged = discriminator.trace(d, &shown, Some(y))?;
            judged.update_running_averages(discriminator, d)?;
            let toward_real = loss::gradient(&judged.output, 1.)?;
            let mut through = judged.backward(discriminator, d, &toward_real, Wanted::INPUT)?.input;
            if let Some(wrong) = wrong.as_ref().filter(|_| recipe.contrast > 0.) {
                let judged = discriminator.trace(d, &shown, Some(wrong))?;
                let toward_fake = (loss::gradient(&judged.output, 0.)? * recipe.contrast)?;
                let more = judged.backward(discriminator, d, &toward_fake, Wanted::INPUT)?.input;
                through = gradients::sum(through, more)?;
            }
            if let Some(changes) = of_fake {
                through = through.map(|dy| changes.backward(&dy)).transpose()?;
            }
            if let (Some(guide), Some(reading)) = (guide, &reading) {
                let of_levels = match projected {
                    Some(projected) => projected.toward_real(reading, y, recipe.projected)?,
                    None => Vec::new(),
                };
                let more = guide.gradient(reading, (y, numbers.guide), of_levels)?;
                through = gradients::sum(through, more)?;
            }
            if let Some(dy) = through {
                let gradients = fake.backward(generator, g, &dy, Wanted::PARAMETERS)?;
                adam_g.step(g, &gradients, None, numbers.of_g(update, slots))?;
            }
            logits = judged.output.detach();
        }

        average::update(average, g, numbers.of_average(slots))?;
        Ok(Figures {
            real: on_real.output.detach(),
            fake: on_fake.output.detach(),
            judged: logits,
            real_target: recipe.real_target(),
        })
    }

    /// Consistency between D's `logits` of pictures and those of changed copies: the gradient of its loss with
    /// respect to the former, and that with respect to D's weights through the latter.
    ///
    /// # Shapes
    /// `logits` (N, 1), `copies` (N, C, H, W), `y` (N) → (N, 1)
    fn consistency(&self, logits: &Tensor, copies: &Tensor, y: &Tensor) -> Result<(Tensor, Gradients)> {
        let Trainer { recipe, discriminator, d, .. } = self;
        let on_copies = discriminator.trace(d, copies, Some(y))?; // N, 1
        let away = (loss::difference_gradient(logits, &on_copies.output)? * recipe.consistency)?;
        let through_copies = on_copies.backward(discriminator, d, &away.neg()?, Wanted::PARAMETERS)?;
        Ok((away, through_copies))
    }
}

/// What D is shown of pictures: these, or what they are changed to.
fn augment(changes: Option<&Changes>, x: &Tensor) -> Result<Tensor> {
    changes.map_or_else(|| Ok(x.clone()), |changes| changes.apply(x))
}

/// A label for each picture that is not its own: of the others each in turn, from picture to picture
/// and from iteration to iteration.
///
/// # Shapes
/// `y` (N) of u32 below `classes`, of which there are two or more → (N)
fn wrong_labels(y: &Tensor, classes: usize, iteration: u64) -> Result<Tensor> {
    let (classes, n) = (classes as u32, y.elem_count() as u64);
    let steps = (0..n).map(|i| 1 + ((i + iteration) % u64::from(classes - 1)) as u32);
    let beyond = (y + Tensor::from_iter(steps, y.device())?)?;
    let around = (beyond.ge(classes)?.to_dtype(DType::U32)? * f64::from(classes))?;
    Ok((beyond - around)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use models::architectures::{judge, projected};
    use models::{Architecture, Sizes};

    #[cfg(feature = "cuda")]
    use super::Factors;
    use super::{Guide, Pair, Purpose, Recipe, Replay, Trainer};
    use crate::schedule::{Decay, Schedule};

    fn trainer(recipe: Recipe) -> Trainer {
        on(recipe, &Device::Cpu)
    }

    fn narrow() -> Architecture {
        Architecture::LabelledDcgan(Sizes {
            classes: 3,
            height: 6,
            width: 9,
            latent_dim: 5,
            generator_filters: 2,
            generator_units: 7,
            discriminator_filters: 3,
            discriminator_units: 8,
            ..Sizes::default()
        })
    }

    fn on(recipe: Recipe, device: &Device) -> Trainer {
        Trainer::new(&narrow(), recipe, 4, device).unwrap()
    }

    /// Four pictures, their labels and latents.
    fn batch() -> [Tensor; 3] {
        let ramp = |n: usize| (0..n).map(|i| (i * 37 % 101) as f32 / 101.).collect::<Vec<_>>();
        [
            Tensor::from_vec(ramp(4 * 54), (4, 1, 6, 9), &Device::Cpu).unwrap(),
            Tensor::new(&[0u32, 2, 1, 1], &Device::Cpu).unwrap(),
            Tensor::from_vec(ramp(20), (4, 5), &Device::Cpu).unwrap(),
        ]
    }

    fn all(parameters: &models::Parameters) -> Vec<f32> {
        let values = parameters.trainable().map(|(_, v)| v.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        values.flatten().collect()
    }

    #[test]
    fn a_wrong_label_is_each_other_one_in_turn() {
        let y = Tensor::new(&[0u32, 2, 1, 2, 0], &Device::Cpu).unwrap();
        let wrong = |iteration| super::wrong_labels(&y, 3, iteration).unwrap().to_vec1::<u32>().unwrap();
        assert_eq!(wrong(0), [1, 1, 2, 1, 1]);
        assert_eq!(wrong(1), [2, 0, 0, 0, 2]);
        assert_eq!(wrong(2), wrong(0));
    }

    #[test]
    fn mismatch_adds_real_pictures_under_wrong_labels_to_what_is_not_real() {
        let [x, y, z] = batch();
        let first = |mismatch: f64, pictures: &Tensor| {
            let mut trainer = trainer(Recipe { mismatch, ..Recipe::default() });
            trainer.iteration(pictures, &y, &z).unwrap();
            let (first, _) = trainer.adam_d.moments.last().unwrap();
            f64::from(first.to_vec1::<f32>().unwrap()[0])
        };
        // The logit's bias: Adam's first moment after one step is (1 − β₁) gradients, and that of
        // these pictures is the mean of D.
        let fresh = trainer(Recipe::default());
        let wrong = super::wrong_labels(&y, 3, 0).unwrap();
        let on_wrong = fresh.discriminator.trace(&fresh.d, &x, Some(&wrong)).unwrap().output;
        let mean = crate::loss::probability(&on_wrong).unwrap().mean_all().unwrap();
        let mean = f64::from(mean.to_scalar::<f32>().unwrap());
        for mismatch in [0.25, 1.] {
            let found = first(mismatch, &x) - first(0., &x);
            assert!((found - 0.5 * mismatch * mean).abs() < 1e-6, "{found}, {}", 0.5 * mismatch * mean);
        }
    }

    /// G's gradients, from Adam's first moments after one step: these are (1 − β₁) gradients.
    fn gradients_of_g(trainer: &mut Trainer) -> Vec<f32> {
        let [x, y, z] = batch();
        trainer.iteration(&x, &y, &z).unwrap();
        learned_from(&trainer.adam_g)
    }

    /// D's gradients, in the same way.
    fn gradients_of_d(trainer: &mut Trainer) -> Vec<f32> {
        let [x, y, z] = batch();
        trainer.iteration(&x, &y, &z).unwrap();
        learned_from(&trainer.adam_d)
    }

    fn learned_from(adam: &crate::adam::Adam) -> Vec<f32> {
        let first = |(first, _): &(candle_core::Var, candle_core::Var)| -> Vec<f32> {
            (first.flatten_all().unwrap() / 0.5).unwrap().to_vec1().unwrap()
        };
        adam.moments.iter().flat_map(first).collect()
    }

    /// The same of a loss, by differentiating all of it.
    fn differentiated(loss: &Tensor, p: &models::Parameters) -> Vec<f32> {
        let gradients = loss.backward().unwrap();
        let of = |v| gradients.get(v).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        p.trainable().flat_map(|(_, v)| of(v)).collect()
    }

    /// D's logits of pictures, in Candle's own operations.
    fn judged(trainer: &Trainer, x: &Tensor) -> Tensor {
        let [_, y, _] = batch();
        trainer.discriminator.forward(&trainer.d, x, Some(&y), models::Mode::Train).unwrap()
    }

    /// What G draws, in Candle's own operations.
    fn drawn(trainer: &Trainer) -> Tensor {
        let [_, y, z] = batch();
        trainer.generator.forward(&trainer.g, &z, Some(&y), models::Mode::Train).unwrap()
    }

    /// One update of G, and pictures changed enough to tell at 6×9 pixels.
    fn augmented() -> Recipe {
        Recipe {
            generator_updates: 1,
            augment_probability: 0.5,
            translation: 0.25,
            cutout: 0.5,
            ..Recipe::default()
        }
    }

    #[test]
    fn both_networks_learn_from_augmented_pictures() {
        let [x, y, z] = batch();
        let key = (4, Purpose::Augmentation, 0);
        let changes = Pair::draw(augmented().augmentation().unwrap(), key, &x).unwrap();
        let fresh = trainer(augmented());
        let shown = (changes.real.apply(&x).unwrap(), changes.fake.apply(&drawn(&fresh)).unwrap());
        assert!(x.sub(&shown.0).unwrap().abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap() > 0.1);

        let entropy = |logits: &Tensor, target| crate::loss::binary_cross_entropy(logits, target).unwrap();
        let of_d = |(real, fake): &(Tensor, Tensor)| {
            let loss = entropy(&judged(&fresh, real), 1.) + entropy(&judged(&fresh, &fake.detach()), 0.);
            differentiated(&loss.unwrap(), &fresh.d)
        };
        let expected = of_d(&shown);
        assert_moved(&gradients_of_d(&mut trainer(augmented())), &vec![0.; expected.len()], 1., &expected);

        // G learns through D as it is after its update.
        let mut after = trainer(augmented());
        after.iteration(&x, &y, &z).unwrap();
        let after = Trainer { generator: fresh.generator.clone(), g: fresh.g.clone(), ..after };
        let shown = changes.fake.apply(&drawn(&after)).unwrap();
        let expected = differentiated(&entropy(&judged(&after, &shown), 1.), &after.g);
        assert_moved(&gradients_of_g(&mut trainer(augmented())), &vec![0.; expected.len()], 1., &expected);
    }

    #[test]
    fn a_consistent_d_judges_a_picture_and_its_copy_alike() {
        let [x, ..] = batch();
        let recipe = |consistency: f32| Recipe { consistency: consistency.into(), ..augmented() };
        let fresh = trainer(augmented());
        let pair = |of: Option<_>, purpose| Pair::draw(of.unwrap(), (4, purpose, 0), &x).unwrap();
        let seen = pair(augmented().augmentation(), Purpose::Augmentation);
        let copies = pair(recipe(1.).copies(), Purpose::Consistency);
        let of = |x: &Tensor, seen: &super::Changes, copies: &super::Changes| {
            let [seen, copies] = [seen, copies].map(|changes| judged(&fresh, &changes.apply(x).unwrap()));
            (seen - copies).unwrap().sqr().unwrap().mean_all().unwrap()
        };
        let of_fake = of(&drawn(&fresh).detach(), &seen.fake, &copies.fake);
        let loss = (of(&x, &seen.real, &copies.real) + of_fake).unwrap();
        let expected = differentiated(&loss, &fresh.d);
        let gradients = |consistency| gradients_of_d(&mut trainer(recipe(consistency)));
        for consistency in [1., 2.5] {
            assert_moved(&gradients(consistency), &gradients(0.), consistency, &expected);
        }
    }

    #[test]
    fn lecam_pulls_logits_toward_those_of_the_other_kind() {
        let [x, ..] = batch();
        let fresh = trainer(Recipe::default());
        let (real, fake) = (judged(&fresh, &x), judged(&fresh, &drawn(&fresh).detach()));
        let toward = |logits: &Tensor, average: f64| (logits - average).unwrap().sqr().unwrap().mean_all();
        let loss = (toward(&real, -0.5).unwrap() + toward(&fake, 0.25).unwrap()).unwrap();
        let expected = differentiated(&loss, &fresh.d);
        let gradients = |weight: f32| {
            let mut trainer = trainer(Recipe { lecam: weight.into(), ..Recipe::default() });
            if let Some(lecam) = &trainer.lecam {
                lecam.real.set(&Tensor::new(&[0.25f32], &Device::Cpu).unwrap()).unwrap();
                lecam.fake.set(&Tensor::new(&[-0.5f32], &Device::Cpu).unwrap()).unwrap();
            }
            let gradients = gradients_of_d(&mut trainer);
            if let Some(lecam) = &trainer.lecam {
                for (average, before, logits) in [(&lecam.real, 0.25, &real), (&lecam.fake, -0.5, &fake)] {
                    let mean = logits.mean_all().unwrap().to_scalar::<f32>().unwrap();
                    let found = average.to_vec1::<f32>().unwrap()[0];
                    assert!((found - (0.99 * before + 0.01 * mean)).abs() < 1e-6, "{found}, {mean}");
                }
            }
            gradients
        };
        for weight in [1., 2.5] {
            assert_moved(&gradients(weight), &gradients(0.), weight, &expected);
        }
    }

    /// Whether a term of a loss moved the gradients by as much as its own are.
    fn assert_moved(found: &[f32], without: &[f32], by: f32, expected: &[f32]) {
        let scale = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
        for ((found, without), expected) in found.iter().zip(without).zip(expected) {
            let (found, expected) = (found - without, by * expected);
            assert!((found - expected).abs() < 2e-4 * scale, "{found}, {expected}");
        }
    }

    #[test]
    fn contrast_pushes_g_away_from_what_d_takes_for_another_class() {
        let [x, y, z] = batch();
        let one = Recipe { generator_updates: 1, ..Recipe::default() };
        let gradients = |contrast: f64| gradients_of_g(&mut trainer(Recipe { contrast, ..one }));
        // D after its update, G as it was.
        let mut after = trainer(one);
        after.iteration(&x, &y, &z).unwrap();
        let fresh = trainer(one);
        let (g, d) = (&fresh.g, &after.d);
        let wrong = super::wrong_labels(&y, 3, 0).unwrap();
        let fake = fresh.generator.forward(g, &z, Some(&y), models::Mode::Train).unwrap();
        let logits = fresh.discriminator.forward(d, &fake, Some(&wrong), models::Mode::Train).unwrap();
        let expected = differentiated(&crate::loss::binary_cross_entropy(&logits, 0.).unwrap(), g);
        for contrast in [1., 2.5f32] {
            assert_moved(&gradients(contrast.into()), &gradients(0.), contrast, &expected);
        }
    }

    /// Sizes of an untrained guide of [`batch`]'s pictures.
    const GUIDE: judge::Sizes = judge::Sizes { classes: 3, channels: 1, height: 6, width: 9 };

    /// That guide.
    fn guide(device: &Device) -> Guide {
        let weights = GUIDE.network().unwrap().initialise(8, device).unwrap();
        Guide::with_weights(GUIDE, &weights, 0.).unwrap()
    }

    /// What it makes of pictures at each level, each by itself.
    fn levels(x: &Tensor) -> Vec<Tensor> {
        let weights = GUIDE.network().unwrap().initialise(8, &Device::Cpu).unwrap();
        let (body, weights) = GUIDE.body().unwrap().folded(&weights).unwrap();
        let mut levels: Vec<Tensor> = Vec::new();
        for level in body.split(&projected::LEVELS).unwrap() {
            let before = levels.last().unwrap_or(x);
            levels.push(level.forward(&weights, before, None, models::Mode::Train).unwrap());
        }
        levels
    }

    fn guided(recipe: Recipe) -> Trainer {
        let mut trainer = trainer(Recipe { generator_updates: 1, ..recipe });
        trainer.guide = Some(guide(&Device::Cpu));
        trainer
    }

    fn guided_gradients(recipe: Recipe) -> Vec<f32> {
        gradients_of_g(&mut guided(recipe))
    }

    #[test]
    fn a_guide_pulls_g_toward_what_it_reads_as_the_label() {
        let [_, y, z] = batch();
        let gradients = |guide| guided_gradients(Recipe { guide, ..Recipe::default() });
        let fresh = trainer(Recipe::default());
        let fake = fresh.generator.forward(&fresh.g, &z, Some(&y), models::Mode::Train).unwrap();
        let network = GUIDE.network().unwrap();
        let parameters = network.initialise(8, &Device::Cpu).unwrap();
        let logits = network.forward(&parameters, &fake, None, models::Mode::Sample).unwrap(); // 4, 3
        // Σ (1 − p)² (−log p) / N, of which (1 − p)² is a constant.
        let exponentials = logits.exp().unwrap();
        let p = exponentials.broadcast_div(&exponentials.sum_keepdim(1).unwrap()).unwrap();
        let p = p.gather(&y.unsqueeze(1).unwrap(), 1).unwrap(); // 4, 1
        let doubt = (1. - p.detach()).unwrap().sqr().unwrap();
        let loss = (p.log().unwrap() * doubt).unwrap().neg().unwrap().mean_all().unwrap();
        let expected = differentiated(&loss, &fresh.g);
        for guide in [0.5, 2f32] {
            assert_moved(&gradients(guide.into()), &gradients(0.), guide, &expected);
        }
        // A finish three times as strong has not come yet, or it has.
        let finishing = |total| {
            let recipe = Recipe { guide: 0.5, guide_finish: 3., ..Recipe::default() };
            let mut trainer = guided(recipe);
            trainer.schedule.total = total;
            gradients_of_g(&mut trainer)
        };
        assert!(finishing(4) == gradients(0.5));
        assert_moved(&finishing(0), &gradients(0.), 1.5, &expected);
    }

    #[test]
    fn projected_discriminators_pull_g_toward_what_is_real_to_them() {
        let [x, y, z] = batch();
        let one = Recipe { generator_updates: 1, ..Recipe::default() };
        let trained = |projected| {
            let mut trainer = guided(Recipe { projected, ..one });
            trainer.iteration(&x, &y, &z).unwrap();
            trainer
        };
        let fresh = trainer(one);
        let fake = fresh.generator.forward(&fresh.g, &z, Some(&y), models::Mode::Train).unwrap();
        // They have learned by then, and G has not.
        let (after, networks) = (trained(1.), projected::networks(&narrow()).unwrap());
        let weights = after.projected.iter().flat_map(|projected| projected.parameters());
        let losses = networks.iter().zip(weights).zip(levels(&fake)).map(|((network, (_, p)), features)| {
            let logits = network.forward(p, &features, Some(&y), models::Mode::Train).unwrap();
            crate::loss::binary_cross_entropy(&logits, 1.).unwrap()
        });
        let losses: Vec<Tensor> = losses.collect();
        assert_eq!(losses.len(), 3);
        let expected = differentiated(&Tensor::stack(&losses, 0).unwrap().sum_all().unwrap(), &fresh.g);
        let without = learned_from(&trained(0.).adam_g);
        for weight in [1f32, 2.5] {
            assert_moved(&learned_from(&trained(weight.into()).adam_g), &without, weight, &expected);
        }
    }

    #[test]
    fn smoothing_moves_what_d_learns_real_pictures_toward_and_nothing_else() {
        let [x, y, z] = batch();
        for smoothing in [0., 0.1, 0.4] {
            let mut trainer = trainer(Recipe { smoothing, ..Recipe::default() });
            let figures = trainer.iteration(&x, &y, &z).unwrap();
            let mean = |values: Vec<f32>| values.iter().sum::<f32>() / values.len() as f32;
            let real = mean(figures.d_real().unwrap()) - (1. - smoothing as f32);
            let gradient = real + mean(figures.d_fake().unwrap());
            // The logit's bias comes last. Adam's first moment after one step is (1 − β₁) gradients.
            let (first, _) = trainer.adam_d.moments.last().unwrap();
            let found = first.to_vec1::<f32>().unwrap()[0];
            assert!((found - 0.5 * gradient).abs() < 1e-6, "{smoothing}: {found}, {}", 0.5 * gradient);
        }
    }

    #[test]
    fn each_network_learns_at_its_own_pace() {
        let [x, y, z] = batch();
        let after = |recipe: Recipe, schedule: Schedule| {
            let mut trainer = trainer(recipe);
            trainer.schedule = schedule;
            let before = (all(&trainer.g), all(&trainer.d));
            trainer.iteration(&x, &y, &z).unwrap();
            let moved =
                |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            (moved(&before.0, &all(&trainer.g)), moved(&before.1, &all(&trainer.d)))
        };
        let one = Recipe { generator_updates: 1, ..Recipe::default() };
        // Adam's first step is the learning rate, whatever the gradient.
        let near = |(g, d): (f32, f32), expected: (f32, f32)| {
            assert!((g / expected.0 - 1.).abs() < 0.01, "{g}, {} expected", expected.0);
            assert!((d / expected.1 - 1.).abs() < 0.01, "{d}, {} expected", expected.1);
        };
        near(after(one, Schedule::CONSTANT), (2e-4, 2e-4));
        let slower = Recipe { learning_rate_d: Some(5e-5), ..one };
        near(after(slower, Schedule::CONSTANT), (2e-4, 5e-5));

        let schedule = Schedule { decay: Decay::Linear, first: 0, total: 4 };
        let mut trainer = trainer(slower);
        trainer.schedule = schedule;
        trainer.iteration(&x, &y, &z).unwrap();
        trainer.iteration(&x, &y, &z).unwrap();
        let half = (all(&trainer.g), all(&trainer.d));
        trainer.schedule.total = 2;
        trainer.iteration(&x, &y, &z).unwrap();
        // At the end of its schedule, nothing learns.
        assert!(half == (all(&trainer.g), all(&trainer.d)));
    }

    /// The CPU records nothing: the second iteration finds that out, after the first has run as one that would
    /// be recorded.
    #[test]
    fn iterations_that_cannot_be_recorded_run_as_ever_and_say_so_once() {
        let [x, y, z] = batch();
        let recipe = Recipe { mismatch: 0.5, consistency: 0.5, lecam: 0.5, ..augmented() };
        let (mut plain, mut replayed) = (trainer(recipe), trainer(recipe));
        replayed.replay = Some(Replay::default());
        for iteration in 0..4 {
            let x = (&x * (1. - 0.2 * f64::from(iteration))).unwrap();
            let figures = [&mut plain, &mut replayed].map(|trainer| {
                let figures = trainer.iteration(&x, &y, &z).unwrap();
                (figures.d_real().unwrap(), figures.d_fake().unwrap(), figures.loss_g().unwrap())
            });
            assert!(figures[0] == figures[1], "{figures:?}");
            assert_eq!(replayed.graph_failure().is_some(), iteration == 1);
        }
        for (plain, replayed) in [(&plain.g, &replayed.g), (&plain.d, &replayed.d)] {
            assert!(all(plain) == all(replayed));
        }
    }

    /// On a GPU, where there is one: `scripts/gpu-check.sh` looks for what this prints.
    #[cfg(feature = "cuda")]
    #[test]
    fn replayed_iterations_are_those_that_were_not_to_the_bit() {
        let Ok(device) = crate::device::Choice::Cuda(0).open() else { return };
        eprintln!("iterations are replayed on a GPU");
        let run = |recipe: Recipe, factors, graphs: bool| {
            let mut trainer = on(recipe, &device);
            trainer.schedule = Schedule { decay: Decay::Linear, first: 2, total: 10 };
            trainer.guide = recipe.has_guide().then(|| guide(&device));
            trainer.round(factors);
            if graphs {
                trainer.use_cuda_graphs();
            }
            let batch = batch().map(|tensor| tensor.to_device(&device).unwrap());
            let mut seen = Vec::new();
            for iteration in 0..10 {
                // A smaller batch on the way is recorded anew.
                let [x, y, z] = batch.each_ref().map(|tensor| match iteration {
                    4..7 => tensor.narrow(0, 0, 3).unwrap(),
                    _ => tensor.clone(),
                });
                let x = (x * (1. - 0.05 * f64::from(iteration))).unwrap();
                let figures = trainer.iteration(&x, &y, &z).unwrap();
                seen.extend(figures.d_real().unwrap());
                seen.extend(figures.d_fake().unwrap());
                assert_eq!(trainer.graph_failure(), None);
            }
            seen.extend([&trainer.g, &trainer.d, &trainer.average].map(all).concat());
            seen
        };
        let all_of_it = Recipe {
            mismatch: 0.5,
            contrast: 0.25,
            guide: 0.5,
            guide_finish: 4.,
            projected: 0.5,
            ..Recipe::default()
        };
        let regularised = Recipe { consistency: 0.5, lecam: 0.5, ..augmented() };
        for recipe in [Recipe::default(), all_of_it, regularised] {
            for factors in [Factors::Float32, Factors::Bfloat16] {
                assert!(run(recipe, factors, true) == run(recipe, factors, false), "{recipe:?}, {factors:?}");
            }
        }
    }

    #[test]
    fn broken_weights_are_found() {
        let trainer = trainer(Recipe::default());
        assert_eq!(trainer.broken().unwrap(), None);
        let offset = trainer.d.get("h1.norm.bias").unwrap();
        for value in [f32::NAN, f32::INFINITY] {
            let wrong = (offset.ones_like().unwrap() * f64::from(value)).unwrap();
            offset.set(&wrong).unwrap();
            assert_eq!(trainer.broken().unwrap().as_deref(), Some("discriminator.h1.norm.bias"));
        }
    }
}
