// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whose mode is set when a server makes its socket. */
class SocketModeTest {
  @TempDir Path directory;

  private static String mode(Path path) throws Exception {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void isThatOfTheSocketItself() throws Exception {
    var path = directory.resolve("device.sock");
    try (var _ = UnixSocket.bind(LinuxKernel.instance(), path.toString(), 0)) {
      assertThat(mode(path)).isEqualTo("---------");

      VfioUserServer.permit(LinuxKernel.instance(), path, 0660);

      assertThat(mode(path)).isEqualTo("rw-rw----");
    }
  }

  /** Somebody who may write to the directory has put something there after it was made. */
  @Test
  void isOfNothingElseThatHasItsPath() throws Exception {
    var secret = Files.writeString(directory.resolve("secret"), "x");
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
    var other = directory.resolve("other.sock");
    try (var _ = UnixSocket.bind(LinuxKernel.instance(), other.toString(), 0)) {
      for (var target : new Path[] {secret, other}) {
        var before = mode(target);
        var link = Files.createSymbolicLink(directory.resolve("device.sock"), target);

        assertThatThrownBy(() -> VfioUserServer.permit(LinuxKernel.instance(), link, 0666))
            .isInstanceOf(VfioException.class)
            .hasMessageContaining("place of the socket");

        assertThat(mode(target)).isEqualTo(before);
        Files.delete(link);
      }
    }
    assertThatThrownBy(() -> VfioUserServer.permit(LinuxKernel.instance(), secret, 0666))
        .isInstanceOf(VfioException.class);
    assertThat(mode(secret)).isEqualTo("rw-------");
  }
}
