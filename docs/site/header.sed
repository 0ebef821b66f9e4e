# Attributes of the compiler, which Doxyfile.in takes away.
/^#define PLANETKEY_API/d
/^#define PLANETKEY_NODISCARD/d
# What Sphinx takes for a second declaration of the same name: one name serves as tag and as type.
/^typedef enum /d
s/^typedef struct \(planetkey_[a-z_]*\) {$/struct \1 {/
s,^#define PLANETKEY_VERSION ",/** The version of this header. */\n&,
s/^} planetkey_[a-z_]*;$/};/
