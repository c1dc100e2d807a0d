/*
 * Frequencies for the two processors of a QEMU machine: 800, 900 and 1200 MHz, for both at once, by writing their number to a
 * port: test/lab/frequency.ts has the machine be at work for a part of the time, by the one that was written last. That is less
 * than the frequency says, since an emulated machine's CPUs are not busy for as much longer as they are slower.
 */
DefinitionBlock ("", "SSDT", 2, "TAUT", "CPUFREQ", 1)
{
    External (\_SB.CPUS.C000, DeviceObj)
    External (\_SB.CPUS.C001, DeviceObj)
    Scope (\_SB.CPUS.C000) {
        Name (_PCT, Package () {
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x5658, 1) },
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x5659, 1) } })
        Name (_PSS, Package () {
            Package () { 1200, 4000, 10, 10, 0x0, 0x0 },
            Package () { 900, 3000, 10, 10, 0x1, 0x1 },
            Package () { 800, 2000, 10, 10, 0x2, 0x2 } })
        Name (_PPC, 0)
    }
    Scope (\_SB.CPUS.C001) {
        Name (_PCT, Package () {
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x5658, 1) },
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x5659, 1) } })
        Name (_PSS, Package () {
            Package () { 1200, 4000, 10, 10, 0x0, 0x0 },
            Package () { 900, 3000, 10, 10, 0x1, 0x1 },
            Package () { 800, 2000, 10, 10, 0x2, 0x2 } })
        Name (_PPC, 0)
    }
}
