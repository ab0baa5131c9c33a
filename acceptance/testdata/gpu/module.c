/* A kernel module as far as modinfo(8) reads it: the section .modinfo that the kernel's build writes. It is never loaded. */
#define INFO(name, text) static const char name[] __attribute__((section(".modinfo"), used)) = #name "=" text
INFO(version, VERSION);
INFO(license, "Dual MIT/GPL");
INFO(name, "nvidia");
INFO(vermagic, "6.8.0 SMP preempt mod_unload modversions ");
