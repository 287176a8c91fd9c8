#include "apps/config_keys.h"

#include <utility>

#include "apps/augment_presets.h"
#include "data/dataset.h"
#include "data/metrics/protocol.h"
#include "data/preprocess.h"
#include "distill/baselines/method.h"
#include "models/network.h"

namespace gf {
namespace {

Limits any() { return {}; }
Limits at_least(double low) { return {.low = low}; }
Limits above(double low) { return {.low = low, .above_low = true}; }
Limits between(double low, double high) { return {.low = low, .high = high}; }
Limits above_to(double low, double high) { return {.low = low, .high = high, .above_low = true}; }
Limits one_of(std::vector<std::string> choices) { return {.choices = std::move(choices)}; }

class Table {
 public:
  template <class T>
  void add(std::string name, T& value, Limits limits, std::string doc, std::vector<std::string> aliases = {}) {
    keys_.push_back({std::move(name), Slot(&value), std::move(doc), std::move(limits), std::move(aliases)});
  }
  std::vector<Key> take() { return std::move(keys_); }

 private:
  std::vector<Key> keys_;
};

void add_data(Table& t, DataConfig& d) {
  t.add("data.layout", d.layout, one_of(layout_names()),
        "How the data set lies on the disk; the README's table shows each", {"preset", "dataset"});
  t.add("data.root", d.root, any(), "Folder of the data set (monai, csv: or its list file); layout brain finds its own",
        {"root_path", "path"});
  t.add("data.split_file", d.split_file, any(),
        "Table case,split that decides the parts instead of the data set; `graphflow split` writes one",
        {"split", "folds"});
  t.add("data.split_seed", d.split_seed, at_least(0), "Draws the parts where the data set does not say them");
  t.add("data.split_by", d.split_by, one_of({"sequence", "random"}),
        "Of cvc: frames of one video stay together, or are drawn one by one as in most papers, whose test part then "
        "shows polyps that were trained on");
  t.add("data.val_share", d.val_share, between(0, 0.9),
        "Share of the cases that validate where the data set does not say; 0: none", {"val_fraction"});
  t.add("data.test_share", d.test_share, between(0, 0.9), "Share of the cases that test, likewise", {"test_fraction"});
  t.add("data.fold", d.fold, between(0, 999), "Fold that validates, of datalists and splits_final.json");
  t.add("data.subsets", d.subsets, any(), "Of busi: folders that take part; empty: benign and malignant");
  t.add("data.class_order", d.class_order, one_of({"", "transunet", "samed", "cascade"}),
        "Of synapse, which organ labels 1 to 8 are (empty: transunet); of btcv, reduce its 13 organs to these 8",
        {"organ_order"});
  t.add("data.label_map", d.label_map, between(0, 254),
        "Stored label = class, for labels that are not their class: { 255 = 1 }; 0 is background unless listed");
  t.add("data.ignore_index", d.ignore_index, between(-1, 65535),
        "Stored label of pixels that neither loss nor metrics count; -1: none");
  t.add("data.class_names", d.class_names, any(), "One name a class, background first; empty: as the data set says",
        {"classes", "labels"});
  t.add("data.channels", d.channels, between(1, 64),
        "1: gray, 3: RGB, pictures are turned into it; of volumes: as many as the files hold", {"input_channels"});
  t.add(
      "data.normalisation", d.normalisation, one_of(normalisation_names()),
      "Intensities of each volume or picture: as stored; to 0..1 by its extremes or by data.percentiles; to mean 0 and "
      "deviation 1; to 0..1 by data.clip; divided by 255; or by ImageNet's means and deviations (8-bit RGB)",
      {"normalization", "normalize"});
  t.add(
      "data.clip", d.clip, any(),
      "Window [low, high] that intensities are cut to before they are normalised, [-125, 275] for the abdomen in a CT; "
      "empty: none",
      {"window", "hu_window", "clip_values"});
  t.add("data.percentiles", d.percentiles, between(0, 100), "The two of normalisation percentile");
  t.add("data.slice_axis", d.slice_axis, between(0, 2), "Of volumes: voxel axis that counts the slices, 0 = x");
  t.add("data.shrink", d.shrink, between(1, 16), "Slices and pictures are made smaller by this whole factor");
  t.add("data.resize", d.resize, between(1, 16384),
        "Height and width that slices and pictures are resized to by splines, as scipy.ndimage.zoom does; masks come "
        "back at the file's size by the nearest pixel; empty: their own size",
        {"img_size", "input_size", "target_size"});
  t.add("data.resize_order", d.resize_order, between(0, 3),
        "Of data.resize, for pictures: 0 nearest, 1 linear, 3 cubic; labels are always taken by 0", {"order"});
  t.add(
      "data.zoom_border", d.zoom_border, one_of({"clamp", "scipy"}),
      "Of data.resize: scipy fills the last row and column with 0 where rounding puts them outside, as SciPy does for "
      "512 to 224",
      {"zoom_compat"});
  t.add("data.pad_multiple", d.pad_multiple, between(0, 1024),
        "Height and width are padded to a multiple of this, results cropped back; 0: the network's stride");
  t.add("data.pad_to", d.pad_to, between(1, 16384),
        "Height and width at least, so that pictures of several sizes fit one batch; empty: no least size",
        {"img_size", "size", "patch_size"});
  t.add("data.cache_mb", d.cache_mb, at_least(0), "Decoded pictures kept in memory, at most this many MiB", {"cache"});
  t.add("data.workers", d.workers, between(0, 64),
        "Threads that prepare batches ahead; 0: the training thread does. Batches are the same whatever their number",
        {"num_workers"});
  t.add("data.augment_on", d.augment_on, one_of({"loader", "device"}),
        "Who changes the pictures: the threads that prepare batches, or the device that trains; the results are the "
        "same");
  t.add("data.augment_preset", d.augment_preset, one_of(augment_preset_names()),
        "A known recipe for [data.augment]; keys given there go before it", {"augmentation"});
  t.add("data.augment_before_resize", d.augment_before_resize, any(),
        "With data.resize: change the pictures as they are stored, then resize them, as TransUNet does; false: faster");
  AugmentConfig& a = d.augment;
  t.add("data.augment.hflip", a.hflip, any(), "Left-right, every second time");
  t.add("data.augment.vflip", a.vflip, any(), "Upside down, every second time");
  t.add("data.augment.rot90", a.rot90, any(), "A multiple of 90 degrees; of pictures that are not square, 180 only");
  t.add("data.augment.flip_or_rotate", a.flip_or_rotate, any(),
        "TransUNet's choice: half of the pictures get the quarter turns and one of the flips, half of the others the "
        "rotation, none both");
  t.add("data.augment.rotation_deg", a.rotation_deg, between(0, 180), "Turn by up to this many degrees either way",
        {"rotate", "degrees"});
  t.add("data.augment.rotation_share", a.rotation_share, between(0, 1), "Share of the pictures that are turned");
  t.add("data.augment.zoom", a.zoom, between(0, 4), "Larger or smaller by up to a factor of 1 + this", {"scale"});
  t.add("data.augment.zoom_share", a.zoom_share, between(0, 1), "Share of the pictures that are zoomed");
  t.add("data.augment.intensity", a.intensity, between(0, 1),
        "Gain within 1 +- this, offset within +- half of it (of the range), gamma by up to a factor of 1 + this",
        {"brightness", "contrast"});
  const auto change = [&](const char* name, double& size, Limits limits, std::string doc, double& share) {
    const std::string key = std::string("data.augment.") + name;
    t.add(key, size, std::move(limits), std::move(doc));
    t.add(key + "_share", share, between(0, 1), "Share of the pictures that get it");
  };
  change("noise", a.noise, between(0, 10),
         "Normal noise of a variance up to this times the picture's own; this and what follows with data.augment_on = "
         "\"loader\" only",
         a.noise_share);
  change("blur", a.blur, between(0, 100), "Gaussian blur of a sigma from 0.5 to this, in pixels", a.blur_share);
  change("brightness", a.brightness, between(0, 1), "Intensities times 1 +- this", a.brightness_share);
  change("contrast", a.contrast, between(0, 1), "Distances from the mean times 1 +- this, within the range there was",
         a.contrast_share);
  change("low_resolution", a.low_resolution, above_to(0, 1), "Down to this share of height and width, and back; 1: off",
         a.low_resolution_share);
  change("gamma", a.gamma, between(0, 10), "Exponent up to a factor of 1 + this, mean and deviation stay as they were",
         a.gamma_share);
  t.add("data.augment.gamma_inverted_share", a.gamma_inverted_share, between(0, 1),
        "Share of the pictures that get another such exponent, inverted");
}

void add_model(Table& t, ModelConfig& m) {
  t.add("model.arch", m.arch, one_of(network_names()), "Network", {"name", "network", "model"});
  t.add("model.width", m.width, above_to(0, 4), "Multiplies every channel count; 1 is the published network");
  t.add("model.dropout", m.dropout, between(-1, 0.95),
        "Rate of every dropout of the network; below 0: as published (FANet 0.5 before its classifier, which is made "
        "for 64 channels and starves a narrow network; ENet 0.01 and 0.1; ERFNet 0.1 in its encoder; TransUNet 0.1 in "
        "its transformer)",
        {"drop_rate"});
  t.add("model.num_classes", m.num_classes, between(0, 255),
        "Classes with background; 0: as many as data.class_names or the data set names", {"classes", "n_classes"});
  t.add("model.in_channels", m.in_channels, between(0, 64), "Of the pictures; 0: data.channels");
  t.add(
      "model.image_size", m.image_size, between(16, 16384),
      "Height and width of the pictures of a network that takes one size only (transunet); smaller ones are padded to "
      "it; empty: data.pad_to, or as published, 224 and 224",
      {"img_size", "input_size"});
  t.add(
      "model.init", m.init, any(),
      "Start from the weights in this file: a checkpoint, .safetensors, or for transunet also published ones (.npz of "
      "R50+ViT-B_16, or .safetensors with the names of its PyTorch code)",
      {"pretrained", "weights"});
  t.add("model.init_strict", m.init_strict, any(), "Every weight must match; false: by name, listing what did not");
}

void add_train(Table& t, TrainConfig& r) {
  t.add("train.max_iterations", r.max_iterations, at_least(0), "Optimiser steps; 0: train.epochs decides",
        {"steps", "iterations", "max_steps", "iters"});
  t.add("train.epochs", r.epochs, at_least(0), "Rounds over the training part where max_iterations is 0",
        {"max_epochs", "num_epochs"});
  t.add("train.batch_size", r.batch_size, between(1, 4096), "Pictures a forward pass", {"batch", "b"});
  t.add("train.accumulate", r.accumulate, between(1, 4096), "Forward and backward passes an optimiser step",
        {"accumulation_steps", "grad_accum"});
  t.add("train.seed", r.seed, at_least(0), "Of weights, order, augmentation and dropout");
  t.add("train.threads", r.threads, between(0, 1024), "CPU threads; 0: one a core", {"num_threads"});
  t.add("train.log_every", r.log_every, at_least(1), "Steps between rows of metrics.csv", {"print_every"});
  t.add("train.eval_every", r.eval_every, at_least(0), "Steps between validations; 0: only at the end",
        {"val_every", "eval_interval"});
  t.add("train.save_every", r.save_every, at_least(0), "Steps between checkpoints; 0: only by time and at the end",
        {"checkpoint_every", "save_interval"});
  t.add("train.save_minutes", r.save_minutes, at_least(0), "Minutes between checkpoints; 0: only by steps");
  t.add("train.clip_norm", r.clip_norm, at_least(0), "Largest norm of the whole gradient; 0: no clipping",
        {"grad_clip", "max_norm"});
  t.add("train.trace_nan", r.trace_nan, any(), "Name the first operation that gives NaN or infinity (slower)");
  t.add(
      "train.on_nan", r.on_nan, one_of({"stop", "lower_lr"}),
      "When a loss or gradient is not finite: stop, or go back to the last checkpoint with half the learning rate; the "
      "batch is kept and the term, layer and picture are named");
  t.add("train.amp", r.amp, one_of({"off", "bf16"}),
        "Mixed precision, on the devices cuda and simt: activations and copies of the weights in bf16; weights, "
        "statistics, "
        "losses and graph terms stay float32, and so do validation and prediction",
        {"mixed_precision", "precision", "dtype", "fp16"});
  t.add("train.tf32", r.tf32, any(),
        "On a GPU, round the inputs of float32 convolutions and matrix products to TF32: faster, ten bits of mantissa");
  t.add(
      "train.step_graph", r.step_graph, one_of({"auto", "on", "off"}),
      "Capture a whole step once and replay it, on a GPU (a CUDA graph) or simt; auto: on a GPU, where it can be done",
      {"cuda_graph", "cuda_graphs"});
}

void add_optim(Table& t, const std::string& section, OptimConfig& o) {
  const auto key = [&](const char* name) { return section + "." + name; };
  t.add(key("name"), o.name, one_of({"sgd", "adam", "adamw"}), "Optimiser", {"optimizer", "optimiser", "type"});
  t.add(key("lr"), o.lr, above(0), "Learning rate at the start", {"base_lr", "learning_rate"});
  t.add(key("momentum"), o.momentum, between(0, 0.9999), "Of sgd");
  t.add(key("beta1"), o.beta1, between(0, 0.9999), "Of adam and adamw: decay of the mean gradient");
  t.add(key("beta2"), o.beta2, between(0, 0.999999), "Of adam and adamw: decay of the mean squared gradient");
  t.add(key("eps"), o.eps, above(0), "Of adam and adamw: added to the root");
  t.add(key("weight_decay"), o.weight_decay, at_least(0), "Added to the gradient (sgd, adam) or apart from it (adamw)",
        {"wd"});
  t.add(key("schedule"), o.schedule, one_of({"constant", "poly", "step"}),
        "lr at step i of n: lr, lr (1 - i/n)^power, or lr gamma^(milestones passed)", {"scheduler", "lr_schedule"});
  t.add(key("power"), o.power, above(0), "Of schedule poly");
  t.add(key("milestones"), o.milestones, at_least(1), "Of schedule step: the steps at which lr is multiplied by gamma",
        {"lr_steps"});
  t.add(key("gamma"), o.gamma, above_to(0, 1), "Of schedule step");
}

void add_loss(Table& t, LossConfig& l) {
  t.add("loss.ce", l.ce, at_least(0), "Weight of the cross entropy", {"cross_entropy"});
  t.add("loss.dice", l.dice, at_least(0), "Weight of the soft Dice loss");
  t.add("loss.class_weights", l.class_weights, at_least(0), "One weight a class in the cross entropy; empty: all 1");
}

void add_distill(Table& t, DistillConfig& d) {
  t.add("distill.method", d.method, one_of(method_names()),
        "Whose loss terms join the supervised ones; graphflow distill --list tells about each",
        {"kd_mode", "distiller"});
  t.add("distill.method_weights", d.method_weights, at_least(0),
        "Of the terms of a method other than graph_flow, in the order of graphflow distill --list; empty: its own",
        {"lambda_s"});
  t.add("distill.method_tau", d.method_tau, at_least(0), "Temperature of a method other than graph_flow; 0: its own");
  t.add("distill.teacher", d.teacher, any(), "Checkpoint of the trained teacher; mean_teacher needs none");
  t.add("distill.paraphrasers", d.paraphrasers, any(),
        "Checkpoint with the paraphrasers; empty: the one graphflow paraphrase leaves under output.dir",
        {"paraphraser", "paraphraser_shallow", "paraphraser_deep"});
  t.add("distill.teacher_taps", d.teacher_taps, any(),
        "Names of its shallow and its deep map, for every one of distill.graph.layers: shallow, deep, shallow, deep; "
        "empty: the published pair, then the network's own",
        {"taps"});
  t.add("distill.student_taps", d.student_taps, any(), "The same of the student", {"taps"});
  t.add(
      "distill.warmup_steps", d.warmup_steps, at_least(0),
      "Steps over which the distillation weights grow from 0: linearly; mean_teacher's as exp(-5 (1 - t)^2), and 0 is "
      "two fifths of the run then",
      {"warmup", "rampup"});
  t.add(
      "distill.auto_weights", d.auto_weights, at_least(0),
      "Step at which the weight of every distillation term is chosen, once, so that its gradient's norm is that of the "
      "supervised loss; until then the weights are the configured ones. 0: off");
  t.add("distill.auto_shares", d.auto_shares, above(0),
        "With distill.auto_weights: a term's norm over the supervised one's, one number for all or one a term, in the "
        "order of graphflow distill --list, adv last; empty: 1",
        {"auto_share"});
  t.add("distill.semi_supervised", d.semi_supervised, any(),
        "Half of every batch are pictures of the unlabelled part: labels teach on the other half, the teacher on both");
  t.add(
      "distill.mask_wrong_teacher", d.mask_wrong_teacher, any(),
      "Of graph_flow: distil no logits where the teacher's class is not the label's; pixels without a label all count, "
      "and the mean goes over all pixels as without this");
  t.add("distill.fold_bf16", d.fold_bf16, any(),
        "With train.amp = \"bf16\": fold the teacher's batch norms into its convolutions, one pass less a layer and "
        "about "
        "twice the rounding error; in float32 they always are");
  GraphConfig& g = d.graph;
  t.add("distill.graph.vertex_weight", g.vertex_weight, at_least(0), "Of the variation graph's vertices; 0: off",
        {"lambda_vert", "vertices", "lambda1"});
  t.add("distill.graph.edge_weight", g.edge_weight, at_least(0), "Of the variation graph's edges; 0: off",
        {"lambda_edge", "lambda2"});
  t.add("distill.graph.layers", g.layers, between(1, static_cast<double>(kMostTapPairs)),
        "Pairs of layers whose graph losses add up; 1 is published, the layers that 2 and 3 add are our choice", {"L"});
  t.add("distill.graph.k", g.k, between(1, 15), "Odd side of the patch around a channel's most salient place",
        {"patch_size"});
  t.add("distill.graph.edges", g.edges, one_of({"gram", "variation", "distance"}),
        "Difference of the layers' Gram matrices, Gram matrix of the vertex differences, or difference of squared "
        "distances",
        {"edge_mode"});
  t.add("distill.graph.salience", g.salience, one_of({"peak", "window"}),
        "Salient place: the largest value, or the k x k window of the largest mean", {"mode"});
  t.add("distill.graph.absolute", g.absolute, any(), "Salience of |F| instead of F", {"abs_salience"});
  t.add("distill.graph.reduction", g.reduction, one_of({"sum", "mean"}),
        "Sum over batch, channels and patch, as published (the weights fit it), or mean", {"normalize"});
  t.add("distill.kd.weight", d.kd.weight, at_least(0), "Of the logits distillation; 0: off", {"lambda_kd", "alpha"});
  t.add("distill.kd.tau", d.kd.tau, above(0), "Temperature", {"temperature", "t"});
  t.add("distill.kd.element_mean", d.kd.element_mean, any(),
        "Mean over pixels and classes, as published; false: mean over pixels of the sum over classes");
  t.add("distill.mean_teacher.decay", d.mean_teacher.decay, between(0, 0.999999),
        "Of method mean_teacher: share of the old average in the new one after a step; smaller in the first steps",
        {"ema_decay"});
  t.add(
      "distill.mean_teacher.noise", d.mean_teacher.noise, at_least(0),
      "Of method mean_teacher: standard deviation of the noise that student and average get, each its own, in the unit "
      "of the normalised pictures");
  AdversarialConfig& a = d.adversarial;
  t.add("distill.adversarial.weight", a.weight, at_least(0),
        "Of the student's adversarial loss, published 0.1; 0: off, no discriminator", {"lambda_adv", "lambda3"});
  t.add("distill.adversarial.type", a.type, one_of({"wgan_gp", "hinge"}),
        "Of the discriminator's loss: Wasserstein with gradient penalty, or hinge", {"adv_loss_type"});
  t.add("distill.adversarial.conditional", a.conditional, any(), "The discriminator sees the picture, too");
  t.add("distill.adversarial.preprocess", a.preprocess, one_of({"none", "tanh", "batch_norm", "bytes"}),
        "What the discriminator does with its input first; bytes: 2 (x / 255 - 0.5)", {"preprocess_gan_mode"});
  t.add("distill.adversarial.width", a.width, above(0), "Multiplies the discriminator's channels");
  t.add("distill.adversarial.lr", a.lr, above(0), "Of the discriminator's Adam at the start; falls as (1 - i/n)^0.9",
        {"lr_d"});
  t.add("distill.adversarial.lambda_d", a.lambda_d, above(0), "Multiplies the whole loss of the discriminator");
  t.add("distill.adversarial.penalty", a.penalty, at_least(0), "Of type wgan_gp: factor of the gradient penalty",
        {"lambda_gp"});
}

void add_eval(Table& t, EvalConfig& e) {
  t.add("eval.protocol", e.protocol, one_of(protocol_names()),
        "How masks become scores: averages, empty classes, HD95's rule and unit, as the tool or paper of that name has "
        "them (data/metrics/protocol.cpp)",
        {"metrics", "preset"});
  t.add("eval.distance", e.distance, one_of({"auto", "mm", "voxel"}),
        "Unit of distances; auto: the protocol's, of pictures without eval.spacing pixels");
  t.add("eval.spacing", e.spacing, above(0),
        "Height and width of a pixel in mm, [0.5] for both, of pictures, whose files do not know it; slices, "
        "height and width of .npz and .h5 without geometry; empty: as the files say",
        {"pixel_size", "pixel_spacing", "voxel_size", "voxel_spacing", "resolution"});
  t.add("eval.nsd_tolerance", e.nsd_tolerance, at_least(0),
        "Distance up to which surfaces agree for NSD, in that unit: one for all classes, or one a foreground class",
        {"nsd_tol", "tolerance"});
  t.add(
      "eval.gastric_crop", e.gastric_crop, one_of({"centre", "authors_exact", "none"}),
      "Of protocol gastric: the part of a tile that counts. Of 256 pixels 96..159, or 95..158 as the authors' code has "
      "it, or all",
      {"crop"});
}

}  // namespace

std::vector<Key> config_keys(Config& c) {
  Table t;
  add_data(t, c.data);
  add_model(t, c.model);
  add_train(t, c.train);
  add_optim(t, "optim", c.optim);
  add_loss(t, c.loss);
  add_distill(t, c.distill);
  t.add("paraphrase.factors", c.paraphrase.factors, between(0, 4096),
        "Channels of the factors, for distill.graph.layers = 1; 0: as many as the student's taps (24 Mobile U-Net, 64 "
        "ENet "
        "and ERFNet at width 1)");
  t.add("paraphrase.max_iterations", c.paraphrase.max_iterations, at_least(0),
        "Optimiser steps of each paraphraser; 0: paraphrase.epochs decides", {"steps"});
  t.add("paraphrase.epochs", c.paraphrase.epochs, at_least(0),
        "Rounds over the training part where max_iterations is 0");
  add_optim(t, "paraphrase.optim", c.paraphrase.optim);
  add_eval(t, c.eval);
  t.add("output.dir", c.output.dir, any(), "Run folder; empty: runs/ and the name of the configuration file",
        {"out", "exp", "output_dir"});
  return t.take();
}

}  // namespace gf
