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


pictures()
volumes()
tensor_files()
texts()
