// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples.kotlin

import io.jvfio.BufferOptions
import io.jvfio.Interrupt
import io.jvfio.MapOptions
import io.jvfio.PciAddress
import io.jvfio.PciDevice
import io.jvfio.VfioDevice
import io.jvfio.VfioHost
import io.jvfio.linux.Registers
import io.jvfio.user.VfioUser
import java.nio.file.Path
import java.time.Duration

// Source: QEMU's documentation, "EDU device".
private const val FACTORIAL = 0x08L
private const val STATUS = 0x20L
private const val INTERRUPT_WHEN_COMPUTED = 0x80
private const val INTERRUPT_CAUSES = 0x24L
private const val ACKNOWLEDGE = 0x64L
private const val DMA_SOURCE = 0x80L
private const val DMA_TARGET = 0x88L
private const val DMA_COUNT = 0x90L
private const val DMA_COMMAND = 0x98L
private const val START = 1
private const val TO_MEMORY = 2
private const val INTERRUPT_WHEN_COPIED = 4
private const val BUFFER = 0x40000L
private const val DMA_BITS = 28

/** `FirstDriver ADDRESS|unix:PATH`: the Java example of that name, in Kotlin. */
fun main(arguments: Array<String>) {
  val name = arguments[0]
  val device =
    if (name.startsWith(VfioUser.SCHEME)) VfioUser.open(Path.of(name.removePrefix(VfioUser.SCHEME)))
    else VfioHost.local().open(PciAddress.parse(name))
  device.use(::drive)
}

fun drive(device: VfioDevice) {
  device.region(0).registers().use { registers ->
    PciDevice.of(device).startBusMastering().use {
      device.interrupts().enableMsi(1).use { vectors ->
        val interrupt = vectors.vector(0)
        println("%s says 0x%08x".format(device.name(), registers.read32(0)))

        registers.write32(STATUS, INTERRUPT_WHEN_COMPUTED)
        registers.write32(FACTORIAL, 10)
        acknowledge(registers, interrupt)
        println("10! = ${registers.read32(FACTORIAL)}")

        copyThereAndBack(device, registers, interrupt)
      }
    }
  }
}

private fun copyThereAndBack(device: VfioDevice, registers: Registers, interrupt: Interrupt) {
  val low = BufferOptions.anonymous().mapped(MapOptions.anywhere().withAddressBits(DMA_BITS))
  device.dmaSpace().allocate(4096, low).use { memory ->
    memory.segment().setString(0, "There and back again")
    copy(registers, interrupt, memory.iova(), BUFFER, 0)
    copy(registers, interrupt, BUFFER, memory.iova() + 2048, TO_MEMORY)
    println(memory.segment().getString(2048))
  }
}

private fun copy(
  registers: Registers,
  interrupt: Interrupt,
  source: Long,
  target: Long,
  direction: Int,
) {
  registers.write64(DMA_SOURCE, source)
  registers.write64(DMA_TARGET, target)
  registers.write64(DMA_COUNT, 1024)
  registers.write32(DMA_COMMAND, START or direction or INTERRUPT_WHEN_COPIED)
  acknowledge(registers, interrupt)
}

private fun acknowledge(registers: Registers, interrupt: Interrupt) {
  check(interrupt.await(Duration.ofSeconds(10)) > 0) { "no interrupt within 10 s" }
  registers.write32(ACKNOWLEDGE, registers.read32(INTERRUPT_CAUSES))
}
