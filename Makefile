# make book        the whole book, every chapter executed, in _build/html
# make test        everything that must hold
# make colab       every notebook far from the repository, with the lock and with Colab's releases (half an hour)
# make full        every page executed on all of MNIST (hours; goes on where it stopped; JOBS=2 runs two pages at a time)
# make notebooks   notebooks/*.ipynb from notebooks/*.md, and the README's table of them
# make slides      a deck of slides per chapter, in _build/slides (no network needed to show them)
# make handouts    chapters as PDF to print, in _build/handouts (needs Chromium); CHAPTER=05 for one,
#                  SOLUTIONS=no without the solutions
# make pdf         the whole book as one PDF, in _build/handouts (needs Chromium); SOLUTIONS=no too
# make downloads   the book, and beside it that PDF and archives of all handouts and slides, as it is published
# make time        how long the book takes to build, from nothing and once more
# make lock        requirements.txt from pyproject.toml and requirements.in
# make clean       remove what was built
#
# All of it runs in .venv, which the first command makes. Needs Python 3.11 or newer with pip.

FIND = for python in python3.11 python3; do \
         $$python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
         && { echo $$python; break; }; done
PYTHON ?= $(shell $(FIND))
VENV   := .venv/bin/python
READY  := .venv/.lock-installed

.PHONY: book test colab full notebooks slides handouts pdf downloads time lock clean
.DELETE_ON_ERROR:

book: $(READY)
	$(VENV) -m tools.book.build

# Two workers with one thread each.
test: $(READY)
	OMP_NUM_THREADS=1 $(VENV) -m pytest tests --ignore=tests/browser \
	  --nbval-lax notebooks/*.ipynb -n 2 --dist loadscope

colab: $(READY)
	OMP_NUM_THREADS=1 $(VENV) -m pytest tests/book/test_colab.py --every-chapter -n 2

full: $(READY)
	$(VENV) -m tools.exports.full_profile --jobs $(or $(JOBS),1)

notebooks: $(READY)
	$(VENV) -m tools.notebooks.convert

slides: book
	$(VENV) -m tools.exports.slides

handouts: book
	$(VENV) -m tools.exports.handouts $(if $(CHAPTER),--chapters $(CHAPTER)) \
	  $(if $(filter no,$(SOLUTIONS)),--without-solutions)

pdf: book
	$(VENV) -m tools.exports.whole_book $(if $(filter no,$(SOLUTIONS)),--without-solutions)

downloads: handouts pdf slides
	$(VENV) -m tools.exports.downloads

time: $(READY)
	$(VENV) -m tools.exports.build_minutes

# --without-pip and then pip from outside: Debian's Python has no ensurepip.
$(READY): requirements.txt
	@test -n "$(PYTHON)" || { echo "lossbook needs Python 3.11 or newer with pip;" \
	  "here python3 is $$(python3 --version 2>&1). Name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making .venv and installing requirements.txt (a few minutes, once)"
	@test -x $(VENV) || $(PYTHON) -m venv --without-pip .venv
	@$(VENV) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m pip --python $(VENV) install --quiet pip
	@$(VENV) -m pip install --quiet -r requirements.txt
	@PYTHONWARNINGS=ignore $(VENV) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The +cpu that some machines' torch carries is a build, not a release: it is cut off.
lock:
	$(PYTHON) -m venv --without-pip _build/lock
	$(PYTHON) -m pip --python _build/lock/bin/python install --quiet pip pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" _build/lock/bin/pip-compile --quiet --strip-extras --allow-unsafe \
	  --extra book --extra test --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --no-emit-options --output-file requirements.txt pyproject.toml requirements.in
	sed -i -E 's/^(torch|torchvision)==([^+]+)\+.*/\1==\2/' requirements.txt

clean:
	rm -rf _build
