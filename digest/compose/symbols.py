"""What TeX commands look like in Unicode; read by readable.py only."""

from __future__ import annotations

_GREEK = (
    "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι "
    "kappa κ lambda λ mu μ nu ν xi ξ pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ "
    "upsilon υ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π "
    "Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω"
)
_SIGNS = (
    "times × cdot · div ÷ pm ± mp ∓ ast * star ⋆ circ ∘ bullet • oplus ⊕ otimes ⊗ odot ⊙ "
    "leq ≤ le ≤ geq ≥ ge ≥ neq ≠ ne ≠ approx ≈ sim ∼ simeq ≃ cong ≅ equiv ≡ propto ∝ ll ≪ gg ≫ "
    "lesssim ≲ gtrsim ≳ leqslant ≤ geqslant ≥ prec ≺ succ ≻ "
    "to → rightarrow → leftarrow ← leftrightarrow ↔ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ "
    "mapsto ↦ uparrow ↑ downarrow ↓ longrightarrow → implies ⇒ iff ⇔ "
    "in ∈ notin ∉ subset ⊂ subseteq ⊆ supset ⊃ supseteq ⊇ cup ∪ cap ∩ setminus ∖ emptyset ∅ "
    "forall ∀ exists ∃ neg ¬ land ∧ wedge ∧ lor ∨ vee ∨ perp ⊥ parallel ∥ mid | vert | Vert ‖ "
    "sum ∑ prod ∏ int ∫ partial ∂ nabla ∇ infty ∞ ell ℓ hbar ℏ Re ℜ Im ℑ aleph ℵ deg ° degree ° "
    "ldots … dots … cdots … vdots ⋮ prime ′ dagger † ddagger ‡ S § P ¶ copyright © "
    "langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ backslash \\ checkmark ✓ "
    "ss ß ae æ AE Æ oe œ OE Œ o ø O Ø aa å AA Å l ł L Ł i i j j "
    "textgreater > textless < textasciitilde ~ textasciicircum ^ textbackslash \\ textbar | "
    "textemdash — textendash – texttimes × textdegree ° textpm ± euro € pounds £ "
    "eg e.g. ie i.e. etc etc. LaTeX LaTeX TeX TeX"
)


def _pairs(table: str) -> dict[str, str]:
    words = table.split()
    return dict(zip(words[::2], words[1::2], strict=True))


#: command → what it shows
SYMBOLS = _pairs(_GREEK) | _pairs(_SIGNS)

#: commands that show nothing, or white space
SPACES = dict.fromkeys(("quad", "qquad", "space", "newline", "par", "linebreak", "allowbreak"), " ")
HIDDEN = frozenset(
    "left right big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle scriptstyle limits "
    "nolimits em it bf sc tt rm sf sl bfseries itshape scshape ttfamily normalfont protect "
    "centering noindent small footnotesize large Large boldmath xspace".split()
)

#: commands whose argument is what counts
SHOWN = frozenset(
    "text textit textbf textsc texttt textrm textsf textsl textmd textup textnormal emph underline "
    "mathrm mathbf mathit mathsf mathtt mathcal mathscr mathfrak boldsymbol bm pmb operatorname "
    "mbox hbox url path mathop mathbin ensuremath uline textcolor color href footnote sout "
    "overline widehat widetilde overrightarrow".split()
)
#: of those, commands whose first argument is not text
SECOND = frozenset(("textcolor", "href"))
#: of those, commands whose argument is not shown
DROPPED = frozenset(("color",))

BLACKBOARD = dict(
    zip("CEFHNPQRZ1", ("ℂ", "𝔼", "𝔽", "ℍ", "ℕ", "ℙ", "ℚ", "ℝ", "ℤ", "𝟙"), strict=True)
)

#: combining characters: in text (\'e) and in formulas (\hat x)
ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "=": "\u0304",
    ".": "\u0307",
}
LETTER_ACCENTS = {"c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328"}
OVER = {
    "hat": "\u0302",
    "tilde": "\u0303",
    "bar": "\u0304",
    "vec": "\u20d7",
    "dot": "\u0307",
    "ddot": "\u0308",
}

_SUPER_FROM = "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδθφχ*′⊤∘°"
_SUPER_TO = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᶿᵠᵡ*′ᵀ°°"
_SUB_FROM = "0123456789+-−=()aehijklmnoprstuvxβγρφχ"
_SUB_TO = "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"

SUPERSCRIPT = dict(zip(_SUPER_FROM, _SUPER_TO, strict=True))
SUBSCRIPT = dict(zip(_SUB_FROM, _SUB_TO, strict=True))
