#include "apps/augment_presets.h"

#include <algorithm>

namespace gf {
namespace {

struct Preset {
  std::string name;
  bool before_resize;
  AugmentConfig augment;
};

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = [] {
    // The released loader of TransUNet, which the paper's Synapse experiments share. It turns by whole degrees from -20
    // to 19 with the nearest pixel; here the angle is any and pictures are turned bilinearly.
    AugmentConfig transunet;
    transunet.flip_or_rotate = transunet.hflip = transunet.vflip = transunet.rot90 = true;
    transunet.rotation_deg = 20;
    // The paper's gastric cancer experiments.
    AugmentConfig gastric;
    gastric.hflip = gastric.vflip = true;
    // nnU-Net's 2-D default for pictures about as high as wide.
    AugmentConfig nnunet;
    nnunet.hflip = nnunet.vflip = true;
    nnunet.rotation_deg = 180, nnunet.rotation_share = 0.2;
    nnunet.zoom = 0.4, nnunet.zoom_share = 0.2;
    nnunet.noise = 0.1, nnunet.blur = 1, nnunet.brightness = 0.25, nnunet.contrast = 0.25;
    nnunet.low_resolution = 0.5, nnunet.gamma = 0.5;
    return std::vector<Preset>{
        {"none", false, {}}, {"transunet", true, transunet}, {"gastric", false, gastric}, {"nnunet", false, nnunet}};
  }();
  return all;
}

}  // namespace

std::vector<std::string> augment_preset_names() {
  std::vector<std::string> names;
  for (const Preset& p : presets()) names.push_back(p.name);
  return names;
}

void apply_augment_preset(Config& config, const Origins& given) {
  const auto preset = std::find_if(presets().begin(), presets().end(),
                                   [&](const Preset& p) { return p.name == config.data.augment_preset; });
  if (preset == presets().begin() || preset == presets().end()) return;
  Config wanted = config;
  wanted.data.augment = preset->augment;
  wanted.data.augment_before_resize = preset->before_resize;
  const std::vector<Key> keys = config_keys(config), from = config_keys(wanted);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!keys[i].name.starts_with("data.augment") || given.contains(keys[i].name)) continue;
    std::visit([&](auto* slot) { *slot = *std::get<decltype(slot)>(from[i].slot); }, keys[i].slot);
  }
}

}  // namespace gf
