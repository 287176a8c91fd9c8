"""Writes the first files of the fuzz targets' corpora: small, whole, one of each kind a reader knows.

    pip install pillow && python tests/fuzz/make_corpus.py

corpus/checkpoint is made by graphflow itself: `graphflow train` of U-Net at width 0.005, one step, final.gfm.
"""
import gzip
import pathlib
import shutil

from PIL import Image

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parent / "golden"
CONFIGS = HERE.parent.parent / "apps" / "configs"


def folder(target):
    path = HERE / "corpus" / target
    path.mkdir(parents=True, exist_ok=True)
    return path


def pictures():
    grey = Image.new("L", (5, 3))
    grey.putdata([i * 17 for i in range(15)])
    colour = Image.merge("RGB", (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT), grey))
    deep = Image.new("I;16", (5, 3))
    deep.putdata([i * 4369 for i in range(15)])
    palette = grey.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    to = folder("picture")
    grey.save(to / "grey.png")
    colour.save(to / "colour.png")
    colour.convert("RGBA").save(to / "alpha.png")
    deep.save(to / "grey16.png")
    palette.save(to / "palette.png")
    palette.save(to / "palette_2_bits.png", bits=2)
    grey.convert("1").save(to / "one_bit.png")
    colour.save(to / "colour.jpg", quality=60)
    grey.save(to / "progressive.jpg", progressive=True)
    colour.save(to / "colour.bmp")
    palette.save(to / "palette.bmp")
    grey.save(to / "grey.tif")
    colour.save(to / "colour_lzw.tif", compression="tiff_lzw")
    colour.save(to / "colour_jpeg.tif", compression="jpeg")
    deep.save(to / "grey16_deflate.tif", compression="tiff_adobe_deflate")
    palette.save(to / "palette_packbits.tif", compression="packbits")
    grey.convert("1").save(to / "one_bit_group4.tif", compression="group4")


def volumes():
    to = folder("nifti")
    for file in GOLDEN.glob("nifti_*.nii.gz"):
        shutil.copy(file, to)
        (to / file.name.removesuffix(".gz")).write_bytes(gzip.decompress(file.read_bytes()))


def tensor_files():
    to = folder("tensor_file")
    for file in [*GOLDEN.glob("npz_*.npz"), *GOLDEN.glob("safetensors_*.safetensors")]:
        shutil.copy(file, to)


def texts():
    to = folder("config")
    for file in [CONFIGS / "nuclei_graph_flow.toml", CONFIGS / "hippocampus_graph_flow.toml"]:
        shutil.copy(file, to)
    to = folder("tables")
    (to / "index.csv").write_text('image,mask,split\nimages/a.png,masks/a.png,train\n"b, c.png",masks/b.png,test\n')
    (to / "split.csv").write_text("case,split\na,train\nb,unlabelled\n")
    (to / "names.json").write_text('{"labels": {"background": 0, "anterior": 1, "posterior": 2}}')
    (to / "names_v1.json").write_text('{"labels": {"0": "background", "1": "anterior"}, "modality": {"0": "MRI"}}')


def lists():
    """The first byte chooses the list: its place in lists.cpp, as a digit."""
    to = folder("lists")

    def write(name, number, text):
        (to / name).write_bytes(next(c for c in b"0123456789" if c % 10 == number).to_bytes(1, "big") + text.encode())

    pair = '{"image": "images/%s.png", "label": "masks/%s.png"%s}'
    both = pair % ("a", "a", ', "fold": 0') + ", " + pair % ("b", "b", ', "fold": 1')
    write("datalist.json", 0, '{"labels": {"0": "background", "1": "x"}, "training": [%s], "test": ["c.png"]}' % both)
    write("channels.json", 0, '{"training": [{"image": ["imagesTr/a_0000.nii", "imagesTr/a_0001.nii"], "label": '
          '"labelsTr/a.nii"}], "validation": [{"image": ["imagesTr/b_0000.nii"], "label": ["labelsTr/b.nii"]}]}')
    write("deep.json", 0, '{"training": [' + "[" * 20000 + "]" * 20000 + "]}")
    write("nul.json", 0, '{"training": [{"image": "images/a.png\\u0000.nii", "label": "masks/a.png"}]}')
    write("dataset.json", 1, '{"labels": {"background": 0, "x": 1, "ignore": 2}, "channel_names": {"0": "T1", '
          '"1": "T2"}, "file_ending": ".nii", "numTraining": 2}')
    write("deep_channels.json", 1, '{"labels": {"background": 0}, "channel_names": {"7": ' + "[" * 20000 + "]" * 20000 + "}}")
    write("splits_final.json", 2, '[{"train": ["a"], "val": ["b"]}, {"train": ["b"], "val": ["a"]}]')
    write("index.csv", 3, "image,label,patient,split\nimages/a.png,masks/a.png,p,train\nimages/b.png,masks/b.png,q,val\n")
    write("drawn.csv", 3, "image,label\nimagesTr/a_0000.nii,labelsTr/a.nii\nimagesTr/b_0000.nii,labelsTr/b.nii\n")
    write("pictures.csv", 4, 'image,mask,split\n"images/a.png",masks/a.png,train\nimages/b.png,masks/b.png,unlabelled\n')
    write("volumes.csv", 5, "image,label,split\nimagesTr/a_0000.nii,labelsTr/a.nii,train\n")
    write("names.json", 6, '{"labels": {"0": "background", "1": "x"}}')
    write("train.txt", 7, "case0005_slice000\r\n\n")
    write("test_vol.txt", 8, "case0005\n")
    write("split.csv", 9, "case,patient,split\na,p,train\nb,q,test\n")


pictures()
volumes()
tensor_files()
texts()
lists()
