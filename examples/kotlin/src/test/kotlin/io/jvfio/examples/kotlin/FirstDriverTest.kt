// SPDX-License-Identifier: Apache-2.0
package io.jvfio.examples.kotlin

import io.jvfio.PciAddress
import io.jvfio.VfioHost
import io.jvfio.model.edu.EduModel
import io.jvfio.sim.HostOptions
import io.jvfio.sim.SimulatedHosts
import io.jvfio.user.VfioUserServer
import java.io.ByteArrayOutputStream
import java.io.PrintStream
import java.nio.file.Path
import org.assertj.core.api.Assertions.assertThat
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource

private const val ADDRESS = "0000:00:01.0"

/** The driver in Kotlin does what that in Java does. */
class FirstDriverTest {
  private fun lines(name: String) =
    listOf("$name says 0x010000ed", "10! = 3628800", "There and back again")

  private fun output(program: () -> Unit): List<String> {
    val bytes = ByteArrayOutputStream()
    val before = System.out
    System.setOut(PrintStream(bytes, true, Charsets.UTF_8))
    try {
      program()
    } finally {
      System.setOut(before)
    }
    return bytes.toString(Charsets.UTF_8).trimEnd().lines()
  }

  @Test
  fun behindASocket(@TempDir directory: Path) {
    val socket = directory.resolve("edu.sock")
    VfioUserServer.serve(EduModel(), socket).use {
      assertThat(output { main(arrayOf("unix:$socket")) }).isEqualTo(lines("unix:$socket"))
    }
  }

  @ParameterizedTest
  @ValueSource(strings = ["x86-6.12", "x86-6.12-iommufd"])
  fun inASimulatedHost(name: String) {
    val options =
      HostOptions.defaults().withModels { address ->
        if (address == ADDRESS) EduModel() else null
      }
    SimulatedHosts.open(name, options).use { host ->
      VfioHost.of(name, host.kernel()).open(PciAddress.parse(ADDRESS)).use { device ->
        assertThat(output { drive(device) }).isEqualTo(lines(ADDRESS))
      }
      assertThat(host.faults()).isEmpty()
    }
  }
}
