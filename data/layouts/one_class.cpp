#include "data/layouts/one_class.h"

#include "data/layouts/folder.h"

namespace gf {

Dataset one_class_dataset(const DatasetSource& source, const Preprocessing& preprocessing,
                          const std::string& foreground) {
  Dataset d;
  d.root = existing_folder(source.root);
  d.class_names = source.class_names;
  if (d.class_names.empty()) d.class_names = {"background", foreground};
  d.preprocessing = preprocessing;
  if (d.preprocessing.label_map.entries.empty()) d.preprocessing.label_map.entries = {{1, 1}, {255, 1}};
  return d;
}

}  // namespace gf
