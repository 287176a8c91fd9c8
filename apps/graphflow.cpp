// The program: parses the command line, calls a subcommand, turns an error into one line and an exit code.
#include <cstdio>
#include <exception>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/config.h"
#include "apps/one_line.h"
#include "data/dataset.h"
#include "kernels/error.h"

namespace {

using namespace gf;

void add_device_flag(CLI::App& app, std::string& device) {
  app.add_option("--device", device, "auto, cpu, cuda, cuda:N, or simt (the CUDA kernels without a GPU: slow)")
      ->capture_default_str();
}

void add_run_flags(CLI::App& app, RunFlags& f) {
  app.add_option("-c,--config", f.config, "Configuration file (TOML); --keys lists every key")
      ->check(CLI::ExistingFile);
  app.add_option("--set", f.sets, "a.b=c lays one value over the configuration (repeatable)")->allow_extra_args(false);
  app.add_option("-o,--output", f.output, "Run folder, instead of output.dir");
  app.add_flag("--resume", f.resume, "Go on from checkpoints/latest.gfm of the run folder");
  app.add_flag("--overwrite", f.overwrite, "Empty the run folder if it holds a run");
  app.add_flag("-q,--quiet", f.quiet, "No progress bar");
  add_device_flag(app, f.device);
  app.add_option("--amp", f.amp, "bf16: mixed precision on cuda and simt, instead of train.amp")
      ->check(CLI::IsMember({"off", "bf16"}));
  app.add_option("--threads", f.threads, "CPU threads, 0: one a core");
  app.add_flag_callback(
      "--keys",
      [] {
        std::fputs(print_schema().c_str(), stdout);
        throw CLI::Success();
      },
      "Print every configuration key with default and meaning, and stop");
}

void add_distill_flags(CLI::App& app, DistillFlags& f) {
  add_run_flags(app, f);
  app.add_option("--teacher", f.teacher, "Checkpoint of the teacher, instead of distill.teacher");
}

void add_postprocess_flags(CLI::App& app, PostprocessFlags& f) {
  app.add_option("--postprocess", f.file, "Clean predictions as this file says, not as the model's");
  app.add_flag("--no-postprocess", f.off, "Leave predictions as the network made them");
}

void add_examples(CLI::App& app, const std::string& text) { app.footer("Examples:\n" + text); }

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"graphflow: trains segmentation networks and distils a large one into a small one by Graph Flow"};
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.footer(
      "`graphflow SUBCOMMAND --help` shows options and examples.\n"
      "Exit codes: 0 ok, 1 failure, 2 usage, 3 bad data, 4 some cases or rows failed, 5 out of memory, 130 "
      "interrupted.");
  int code = 0;

  TrainFlags train;
  CLI::App* sub = app.add_subcommand("train", "Train a network on labels (a teacher, or a student alone)");
  add_run_flags(*sub, train);
  sub->add_option("--init", train.init,
                  "Start from the weights in this file (.safetensors, .gfm, .npz), instead of model.init");
  add_examples(*sub,
               "  graphflow train -c apps/configs/brain_teacher.toml\n"
               "  graphflow train -c apps/configs/nuclei_student.toml --set optim.lr=1e-3 -o runs/try1\n"
               "  graphflow train --set data.layout=busi --set data.root=Dataset_BUSI_with_GT -o runs/busi\n"
               "  graphflow train --resume -o runs/try1\nLayouts of data sets (data.layout): " +
                   fmt::format("{}", fmt::join(layout_names(), ", ")));
  sub->callback([&] { code = train_command(train); });

  DistillFlags paraphrase;
  sub = app.add_subcommand("paraphrase",
                           "Train the paraphrasers of a teacher (needed once per teacher and student width)");
  add_distill_flags(*sub, paraphrase);
  add_examples(
      *sub,
      "  graphflow paraphrase -c apps/configs/brain_graph_flow.toml --teacher runs/brain/teacher/checkpoints/best.gfm");
  sub->callback([&] { code = paraphrase_command(paraphrase); });

  DistillFlags distill;
  sub = app.add_subcommand("distill", "Train a student with Graph Flow from a teacher");
  add_distill_flags(*sub, distill);
  sub->add_option("--paraphrasers", distill.paraphrasers,
                  "Checkpoint of the paraphrasers, instead of distill.paraphrasers");
  sub->add_option("--compare", distill.compare,
                  "Run folder of the student trained alone, to stand beside it in the report");
  sub->add_flag("--list", distill.list, "Tell about every method of distill.method, and stop");
  add_examples(
      *sub,
      "  graphflow distill --list\n  graphflow distill -c apps/configs/brain_graph_flow.toml --compare "
      "runs/brain/student\n"
      "  graphflow distill -c apps/configs/brain_graph_flow.toml --set distill.graph.edges=distance -o runs/a2");
  sub->callback([&] { code = distill_command(distill); });

  EvaluateFlags evaluate;
  sub = app.add_subcommand("evaluate", "Score a trained model on a split of its data set, or masks against the truth");
  sub->add_option("-m,--model", evaluate.model, "Checkpoint");
  sub->add_option("-g,--truth", evaluate.truth, "True masks, a folder or a file; with -p in place of a model");
  sub->add_option("-p,--prediction", evaluate.prediction, "Predicted masks of the same names (NIfTI, PNG or TIFF)");
  sub->add_option("--protocol", evaluate.protocol,
                  "standard, transunet, gastric, nnunet or monai: whose numbers (instead of eval.protocol)");
  sub->add_option("--nsd-tolerance,--nsd-tol", evaluate.nsd_tolerance,
                  "Instead of eval.nsd_tolerance: one number, or one a foreground class: 2,1,1")
      ->delimiter(',');
  sub->add_option(
         "--classes", evaluate.classes,
         "Of masks: names of labels 1, 2, ..., or how many; else those of dataset.json, else the labels there are")
      ->delimiter(',');
  sub->add_option("--spacing", evaluate.spacing,
                  "Instead of eval.spacing, of pictures: HEIGHT,WIDTH of a pixel in mm, or one number; distances are "
                  "then in mm")
      ->delimiter(',');
  sub->add_flag(
      "--class-ids", evaluate.class_ids,
      "Of masks: data.label_map is for the truth alone, predictions hold class ids (graphflow predict writes them)");
  sub->add_option("-c,--config", evaluate.config, "Data of this configuration, instead of the one in the checkpoint");
  sub->add_option("--set", evaluate.sets, "a.b=c lays one value over the configuration (repeatable)")
      ->allow_extra_args(false);
  sub->add_option("--split", evaluate.split, "train, val or test")->capture_default_str();
  sub->add_option(
      "-o,--output", evaluate.output,
      "Folder for summary.json, per_case.csv, per_class.csv; of a model also overlays.json, for graphflow report");
  add_postprocess_flags(*sub, evaluate.postprocess);
  sub->add_option("--tex", evaluate.tex, "Also write the tables here, in LaTeX");
  add_device_flag(*sub, evaluate.device);
  sub->add_option("--threads", evaluate.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(
      *sub,
      "  graphflow evaluate -m runs/brain/student/checkpoints/best.gfm\n"
      "  graphflow evaluate -m best.gfm --split val --protocol transunet -o scores\n"
      "  graphflow evaluate -g labelsTs -p predictions --classes liver,spleen --nsd-tolerance 2,1 --tex scores.tex");
  sub->callback([&] { code = evaluate_command(evaluate); });

  CompareFlags compare;
  sub = app.add_subcommand("compare",
                           "Teacher, student alone and methods in one table: spread over seeds, paired "
                           "tests, and how much of the gap each method closed");
  sub->add_option("runs", compare.runs,
                  "Folders of graphflow experiment or their rows/*.json; run folders of train and distill, or a folder "
                  "of such")
      ->required();
  sub->add_option(
      "-o,--output", compare.output,
      "Folder for comparison.html, .md, .tex, .csv and _cases.csv (default: the experiment's, where RUNS is "
      "one; else they are not written)");
  sub->add_option("--split", compare.split, "test or val")
      ->capture_default_str()
      ->check(CLI::IsMember({"test", "val"}));
  sub->add_option("--metric", compare.metrics, "Whose gains are shown (repeatable): dice, iou, hd95, ...; default dice")
      ->allow_extra_args(false);
  add_examples(*sub,
               "  graphflow compare runs/nuclei_methods\n"
               "  graphflow compare runs/nuclei_20 runs/nuclei_40 runs/nuclei_81 -o shares --metric dice --metric iou\n"
               "  graphflow compare runs/demo/teacher runs/demo/student runs/demo/graph_flow --split val");
  sub->callback([&] { code = compare_command(compare); });

  ReportFlags report;
  sub = app.add_subcommand("report",
                           "Write the page of a run anew, from its folder: curves, scores with confidence intervals, "
                           "worst and best cases, efficiency, settings");
  sub->add_option("run", report.run, "Run folder of train, distill or paraphrase, in whatever state")->required();
  sub->add_option("-o,--output", report.output, "HTML file (default: report.html of the run folder)");
  add_examples(*sub,
               "  graphflow report runs/brain/student\n"
               "  graphflow report runs/try1 -o try1.html    # also while it trains");
  sub->callback([&] { code = report_command(report); });

  SplitFlags split;
  sub = app.add_subcommand("split", "Divide a data set: a labelled share for semi-supervised training, or folds");
  sub->add_option("-c,--config", split.config, "Configuration with the data set (TOML)");
  sub->add_option("--set", split.sets, "a.b=c lays one value over the configuration (repeatable)")
      ->allow_extra_args(false);
  sub->add_option("--labelled,--labeled", split.labelled, "Training cases (not slices) that keep their labels")
      ->check(CLI::Range(1, 1000000));
  sub->add_option("--folds", split.folds, "Folds for cross-validation, by patient: one table a fold")
      ->check(CLI::Range(2, 1000));
  sub->add_option("--seed", split.seed, "The same seed chooses the same cases")->capture_default_str();
  sub->add_option("-o,--output", split.output, "The table")->capture_default_str();
  sub->add_flag("--overwrite", split.overwrite, "Replace a table that exists");
  add_examples(*sub,
               "  graphflow split -c apps/configs/hippocampus_student.toml --labelled 16 -o few.csv\n"
               "  graphflow distill -c apps/configs/hippocampus_graph_flow.toml --set data.split_file=few.csv "
               "--set distill.semi_supervised=true\n"
               "  graphflow split -c data.toml --folds 5 -o folds.csv");
  sub->callback([&] { code = split_command(split); });

  PredictFlags predict;
  sub = app.add_subcommand("predict", "Write masks for volumes or pictures, with the input's geometry");
  sub->add_option("-m,--model", predict.model, "Checkpoint")->required();
  sub->add_option("-i,--input", predict.inputs,
                  "NIfTI volumes, PNG/JPEG/BMP/TIFF pictures, .npz or .h5 slices, folders of them, or a .txt file with "
                  "one case a line. Of a model of several channels CASE_0000.png, CASE_0001.png, ... of one folder are "
                  "one case, CASE; in a list its files stand on one line with tabs between them. Of a model trained on "
                  "layout nnunet CASE_0000.png is CASE with one channel, too")
      ->required();
  sub->add_option("-o,--output", predict.output, "Folder, or one mask file for one input")->required();
  sub->add_option("--batch-size", predict.batch_size, "Slices or tiles a forward pass; 0: as many as stay small")
      ->check(CLI::Range(0, 1024));
  sub->add_option("--tile", predict.tile, "HEIGHTxWIDTH or SIDE: tiles that overlap, put together by Gaussian weights");
  sub->add_option("--overlap", predict.overlap, "Of neighbouring tiles, at least, as a part of a tile")
      ->capture_default_str();
  sub->add_flag("--mirrors", predict.mirrors,
                "The mean over the picture and its three mirror images; four times slower");
  sub->add_flag("--save-probabilities", predict.probabilities,
                "Also write NAME.npz: \"probabilities\", float32 (classes, slices, height, width)");
  sub->add_flag("--preview", predict.preview, "Also write NAME_preview.png: the slice with the most foreground");
  sub->add_flag("--statistics", predict.statistics, "Also write statistics.csv: voxels and ml of each case and class");
  sub->add_flag("--report", predict.report, "Also write predictions.html: a picture a case, amounts, warnings");
  add_postprocess_flags(*sub, predict.postprocess);
  sub->add_flag("--continue", predict.keep_existing, "Skip inputs whose mask is there, whole and of their size");
  add_device_flag(*sub, predict.device);
  sub->add_option("--threads", predict.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(*sub,
               "  graphflow predict -m best.gfm -i head.nii.gz -o mask.nii.gz --preview\n"
               "  graphflow predict -m best.gfm -i pictures/ -o masks/ --continue\n"
               "  graphflow predict -m best.gfm -i scans/ -o masks/ --mirrors --statistics --report\n"
               "  graphflow predict -m best.gfm -i large.png -o mask.png --tile 256 --overlap 0.5");
  sub->callback([&] { code = predict_command(predict); });

  VerifyFlags verify;
  sub =
      app.add_subcommand("verify", "Find what is wrong with a data set before it is trained on (exit code 3: errors)");
  sub->add_option("-c,--config", verify.config, "Configuration whose [data] is checked")->check(CLI::ExistingFile);
  sub->add_option(
      "-i,--input", verify.input,
      "A folder without a configuration: with index.csv, imagesTr/ and labelsTr/, or images/ and masks/; of "
      "another layout with --set data.layout=NAME");
  sub->add_option("--set", verify.sets, "a.b=c lays one value over the configuration (repeatable)")
      ->allow_extra_args(false);
  sub->add_option("-j,--json", verify.json, "Also write what was found here");
  sub->add_option("--html", verify.html, "Also write a page with thumbnails here");
  sub->add_flag("--strict", verify.strict, "Warnings count as errors");
  sub->add_option("--threads", verify.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(
      *sub,
      "  graphflow verify -c apps/configs/nuclei_student.toml --html check.html\n"
      "  graphflow verify -i pictures --set \"data.label_map={255=1}\" --set data.channels=3 --json check.json");
  sub->callback([&] { code = verify_command(verify); });

  PreviewFlags preview;
  sub =
      app.add_subcommand("preview", "A sheet of the pictures a network is trained on, with the contours of the labels");
  sub->add_option("run", preview.run, "Run folder, in place of a configuration");
  sub->add_option("-c,--config", preview.config, "Configuration file (TOML)")->check(CLI::ExistingFile);
  sub->add_option("--set", preview.sets, "a.b=c lays one value over the configuration (repeatable)")
      ->allow_extra_args(false);
  sub->add_option("-n,--count", preview.count, "Pictures")->capture_default_str()->check(CLI::Range(1, 1000));
  sub->add_flag("--unaugmented", preview.unaugmented, "Before the augmentation");
  sub->add_option("--cases", preview.cases, "Only these cases, in the data set's order")->delimiter(',');
  sub->add_option(
      "--split", preview.split,
      "train (the default; of --cases: whatever part they are in), val, test or unlabelled; val and test are "
      "never augmented");
  sub->add_option("--columns", preview.columns, "Pictures a row; 0: about as many as rows")->check(CLI::Range(0, 1000));
  sub->add_option("--scale", preview.scale,
                  "Pixels of the sheet a pixel of a picture; 0: what makes small ones visible")
      ->check(CLI::Range(0, 16));
  sub->add_option("-o,--output", preview.output, "PNG file")->capture_default_str();
  add_examples(*sub,
               "  graphflow preview -c apps/configs/nuclei_student.toml -n 24\n"
               "  graphflow preview runs/try1 --unaugmented --cases case_3,case_7 -o cases.png\n"
               "  graphflow preview -c mine.toml --set data.augment_preset=nnunet -o nnunet.png");
  sub->callback([&] { code = preview_command(preview); });

  PostprocessCommandFlags postprocess;
  sub = app.add_subcommand(
      "postprocess", "Choose on validation: largest objects, small objects, holes; predict and evaluate then do it");
  sub->add_option("run", postprocess.run, "Run folder or checkpoint: the choice is written into the model's file")
      ->required()
      ->check(CLI::ExistingPath);
  sub->add_option("--from", postprocess.from, "Take the settings of this file (JSON) instead of choosing")
      ->check(CLI::ExistingFile);
  sub->add_option("-c,--config", postprocess.config,
                  "Data of this configuration, instead of the one in the checkpoint");
  sub->add_option("--set", postprocess.sets, "a.b=c lays one value over the configuration (repeatable)")
      ->allow_extra_args(false);
  add_device_flag(*sub, postprocess.device);
  sub->add_option("--threads", postprocess.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(*sub,
               "  graphflow postprocess runs/brain/student\n"
               "  graphflow postprocess final.gfm --from mine.json\n"
               "  graphflow evaluate -m runs/brain/student/checkpoints/best.gfm --no-postprocess");
  sub->callback([&] { code = postprocess_command(postprocess); });

  ExportFlags onnx;
  sub = app.add_subcommand("export", "Write a network as ONNX, read it back and compare it with the network");
  sub->add_option("-m,--model", onnx.model, "Checkpoint")->required();
  sub->add_option("-o,--output", onnx.output, "NAME.onnx; NAME.json is written beside it")->required();
  sub->add_option("--size", onnx.size, "HEIGHTxWIDTH of the pictures (default: what training padded them to)");
  sub->add_option("--threads", onnx.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(*sub,
               "  graphflow export -m best.gfm -o student.onnx --size 256x256\n"
               "  graphflow export -m runs/brain/student/checkpoints/best.gfm -o exported/brain.onnx");
  sub->callback([&] { code = export_command(onnx); });

  ConvertFlags convert;
  sub = app.add_subcommand("convert", "BTCV's NIfTI volumes to TransUNet's Synapse files, and back");
  sub->add_option("-i,--input", convert.input, "Folder of the data set (layout btcv, or synapse)")->required();
  sub->add_option("-o,--output", convert.output, "Folder of the new one")->required();
  sub->add_option("--to", convert.to, "synapse (npz slices, h5 volumes, lists) or nifti (img, label)")
      ->required()
      ->check(CLI::IsMember({"synapse", "nifti"}));
  sub->add_option("--class-order", convert.class_order, "Which organ labels 1 to 8 are")
      ->capture_default_str()
      ->check(CLI::IsMember({"transunet", "samed", "cascade"}));
  sub->add_flag("--continue", convert.keep_existing, "Keep cases that are there, make the rest");
  add_examples(*sub,
               "  graphflow convert -i RawData/Training -o Synapse --to synapse\n"
               "  graphflow convert -i Synapse -o volumes --to nifti --class-order transunet");
  sub->callback([&] { code = convert_command(convert); });

  InfoFlags info;
  sub = app.add_subcommand("info", "Describe this build, a network, a checkpoint or a NIfTI file");
  sub->add_option("subject", info.subject,
                  "A network's name, discriminator, paraphraser, or a file; nothing for this build");
  sub->add_option("--width", info.width, "Width multiplier of the network or the discriminator")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 8.0));
  sub->add_option("--in-channels", info.in_channels, "Input channels")->capture_default_str()->check(CLI::Range(1, 64));
  sub->add_option("--classes", info.classes, "Classes with background")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  sub->add_option("--channels", info.channels, "Channels of the teacher's tap that a paraphraser takes")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  sub->add_option("--factors", info.factors, "Factors that a paraphraser makes of them, as paraphrase.factors")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  sub->add_option("--size", info.size, "Side of the picture that layers and multiply-accumulates are counted for")
      ->capture_default_str()
      ->check(CLI::Range(1, 2048));
  add_examples(*sub,
               "  graphflow info\n  graphflow info fanet --width 0.25 --classes 9\n"
               "  graphflow info discriminator --classes 9\n  graphflow info paraphraser --factors 64\n"
               "  graphflow info runs/brain/student/checkpoints/best.gfm");
  sub->callback([&] { code = info_command(info); });

  DemoFlags demo;
  sub = app.add_subcommand(
      "demo", "The whole method on a real brain volume: teacher, student, paraphrasers, Graph Flow, report");
  sub->add_flag("--full", demo.full, "Six times the steps");
  sub->add_flag("--overwrite", demo.overwrite, "Start anew instead of going on");
  sub->add_option("-o,--output", demo.output, "Folder (default runs/demo, with --full runs/demo_full)");
  add_device_flag(*sub, demo.device);
  sub->add_option("--threads", demo.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(*sub, "  graphflow demo\n  graphflow demo --full -o runs/full");
  sub->callback([&] { code = demo_command(demo); });

  ExperimentFlags experiment;
  sub = app.add_subcommand("experiment",
                           "Data sets x teachers x students x methods x seeds, each once, resumable, as rows of JSON");
  sub->add_option("file", experiment.file, "What is compared (TOML); apps/configs/experiments holds the paper's tables")
      ->required()
      ->check(CLI::ExistingFile);
  sub->add_option("--data", experiment.data, "Folder of the data set, or NAME=FOLDER where there are several")
      ->allow_extra_args(false);
  sub->add_option("--only", experiment.only,
                  "Only rows whose name holds this text, * for anything between (repeatable: any of them)")
      ->allow_extra_args(false);
  sub->add_option("--time-limit", experiment.time_limit,
                  "Stop, with everything saved, before so many seconds have passed; exit code 0, rows may be missing")
      ->check(CLI::Range(0.1, 1e9));
  sub->add_flag("--list", experiment.list, "Name the rows and what there is of each, and stop");
  sub->add_flag("--retry-failed", experiment.retry_failed, "Try failed rows again");
  sub->add_flag("--overwrite", experiment.overwrite, "Make anew what was made with other settings");
  sub->add_option("--set", experiment.sets, "a.b=c lays one value over every configuration (repeatable)")
      ->allow_extra_args(false);
  sub->add_option("-o,--output", experiment.output, "Folder of everything, instead of the file's");
  sub->add_option("--runs", experiment.runs,
                  "Folder of the runs themselves, for experiments to share: what they have in common is trained once");
  sub->add_flag("-q,--quiet", experiment.quiet, "No progress bars, rows only");
  add_device_flag(*sub, experiment.device);
  sub->add_option("--threads", experiment.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(*sub,
               "  graphflow experiment apps/configs/experiments/components.toml --data nuclei=DIR --list\n"
               "  graphflow experiment apps/configs/experiments/components.toml --data nuclei=DIR --time-limit 600\n"
               "  graphflow experiment apps/configs/experiments/students_table.toml --data nuclei=DIR --only ENet "
               "--only \"ERFNet*seed1\"");
  sub->callback([&] { code = experiment_command(experiment); });

  SelftestFlags selftest;
  sub = app.add_subcommand("selftest", "Check every op of this program on a device against its formula in double");
  add_device_flag(*sub, selftest.device);
  sub->add_option("--family", selftest.families, "Only these ops; --list names them")->allow_extra_args(false);
  sub->add_option("--dtype", selftest.dtype, "f32, or bf16: values and first derivatives of rounded inputs")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16"}));
  sub->add_flag("--values-only", selftest.values_only, "Leave out the derivatives");
  sub->add_flag("--list", selftest.list, "Name the families and how many cases they have, and stop");
  sub->add_option("--json", selftest.json, "Also write the table here");
  sub->add_option("--threads", selftest.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(*sub,
               "  graphflow selftest\n  graphflow selftest --device cuda --json selftest.json\n"
               "  graphflow selftest --device simt --family resize --family losses\n"
               "  graphflow selftest --device simt --dtype bf16");
  sub->callback([&] { code = selftest_command(selftest); });

  sub = app.add_subcommand("bench", "Time kernels or training steps on this machine");
  sub->require_subcommand(1);
  BenchKernelsFlags bench_kernels;
  CLI::App* bench = sub->add_subcommand("kernels", "Every family of ops, with the share of this machine's ceilings");
  add_device_flag(*bench, bench_kernels.device);
  bench->add_option("--size", bench_kernels.size, "demo (batch 4, 128x128) or paper (batch 8, 256x256)")
      ->capture_default_str()
      ->check(CLI::IsMember({"demo", "paper"}));
  bench->add_option("--filter", bench_kernels.filter, "Only ops whose name contains this");
  bench->add_option("--json", bench_kernels.json, "Also write the table here");
  bench->add_option("--threads", bench_kernels.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(*bench, "  graphflow bench kernels\n  graphflow bench kernels --size paper --filter convolution");
  bench->callback([&] { code = bench_kernels_command(bench_kernels); });
  BenchStepFlags bench_step;
  bench = sub->add_subcommand("step", "Whole training steps on random data");
  add_device_flag(*bench, bench_step.device);
  bench
      ->add_option(
          "--task", bench_step.task,
          "supervised, distill (a folded, frozen teacher, its paraphrasers, every term), graph_flow (that loss alone, "
          "forward and backward), or predict (the forward pass of a trained network)")
      ->capture_default_str()
      ->check(CLI::IsMember({"supervised", "distill", "graph_flow", "predict"}));
  bench->add_option("--network", bench_step.network, "What is trained: a name, as `graphflow info` lists them")
      ->capture_default_str();
  bench->add_option("--width", bench_step.width, "Its width multiplier")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 8.0));
  bench->add_option("--teacher", bench_step.teacher, "The teacher's name")->capture_default_str();
  bench->add_option("--teacher-width", bench_step.teacher_width, "Its width multiplier")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 8.0));
  bench->add_flag("--adversarial", bench_step.adversarial,
                  "Of task distill: with the discriminator's term and its own step (WGAN-GP)");
  bench->add_option("--batch", bench_step.batch, "Pictures a step")->capture_default_str()->check(CLI::Range(1, 1024));
  bench->add_option("--size", bench_step.size, "Their height and width")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  bench->add_option("--classes", bench_step.classes, "Classes")->capture_default_str()->check(CLI::Range(2, 512));
  bench->add_option("--amp", bench_step.amp, "Precision of activations and weights: off (float32) or bf16 (cuda, simt)")
      ->capture_default_str()
      ->check(CLI::IsMember({"off", "bf16"}));
  bench->add_option("--step-graph", bench_step.step_graph, "A step as one captured graph: auto (on a GPU), on, off")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "on", "off"}));
  bench->add_flag("--fold-bf16", bench_step.fold_bf16, "With --amp bf16: fold the teacher's batch norms there too");
  bench->add_flag("--tf32", bench_step.tf32, "TF32 in float32 convolutions and matrix products, on a GPU");
  bench->add_option("--steps", bench_step.steps, "Steps that are timed")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  bench->add_option("--json", bench_step.json, "Also write the numbers here");
  bench->add_option("--threads", bench_step.threads, "CPU threads, 0: one a core")->capture_default_str();
  add_examples(*bench,
               "  graphflow bench step --network fanet --width 0.25\n"
               "  graphflow bench step --task distill --batch 8 --size 256 --classes 2\n"
               "  graphflow bench step --task predict --batch 1 --size 256");
  bench->callback([&] { code = bench_step_command(bench_step); });
  BenchLoaderFlags bench_loader;
  bench = sub->add_subcommand("loader", "Pictures a second: decoded and augmented, and augmented alone");
  bench->add_option("-c,--config", bench_loader.config, "Configuration with the data set (TOML)")
      ->required()
      ->check(CLI::ExistingFile);
  bench->add_option("--set", bench_loader.sets, "a.b=c lays one value over the configuration (repeatable)");
  bench->add_option("--workers", bench_loader.workers, "Threads that decode and augment")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  bench->add_option("--epochs", bench_loader.epochs, "Epochs that are timed after the first")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  bench->add_option("--json", bench_loader.json, "Also write the numbers here");
  add_examples(*bench, "  graphflow bench loader -c apps/configs/nuclei_student.toml --set data.root=FOLDER");
  bench->callback([&] { code = bench_loader_command(bench_loader); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int cli = app.exit(e);
    return cli == 0 ? 0 : static_cast<int>(ErrorKind::usage);
  } catch (const Error& e) {
    fmt::print(stderr, "graphflow: error: {}\n", one_line(e.what()));
    return static_cast<int>(e.kind());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "graphflow: error: out of memory; lower train.batch_size or the picture size\n");
    return static_cast<int>(ErrorKind::out_of_memory);
  } catch (const std::filesystem::filesystem_error& e) {
    fmt::print(stderr, "graphflow: error: cannot use path: {}: {}; choose another\n", one_line(e.path1().string()),
               e.code().message());
    return static_cast<int>(ErrorKind::failure);
  } catch (const std::exception& e) {
    fmt::print(stderr, "graphflow: error: {}\n", one_line(e.what()));
    return static_cast<int>(ErrorKind::failure);
  }
  return code;
}
