// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.linux.Errno;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** An error of the file that keeps a disk: each of them, where the log tells one a second. */
@Name("jvfio.StorageError")
@Label("Storage Error")
@Description("The file that keeps a disk has failed")
@Category({"jvfio", "Storage"})
@StackTrace(false)
final class StorageErrorEvent extends Event {
  @Label("Storage")
  @Nullable String storage;

  @Label("Operation")
  @Description("The system call; short or deleted where the file itself is wrong")
  @Nullable String operation;

  @Label("Errno")
  @Nullable String errno;

  @Label("Offset")
  @Description("In the file, in bytes")
  long offset;

  @Label("Size")
  @DataAmount
  long size;

  @Label("Meaning")
  @Description("What becomes of the command, or what to do")
  @Nullable String meaning;

  private StorageErrorEvent() {}

  /** Tells of an error; {@code errno} is null where no call has failed. */
  static void told(
      String storage,
      String operation,
      long offset,
      long byteSize,
      @Nullable Errno errno,
      String meaning) {
    var event = new StorageErrorEvent();
    event.storage = storage;
    event.operation = operation;
    event.errno = errno == null ? null : errno.symbol();
    event.offset = offset;
    event.size = byteSize;
    event.meaning = meaning;
    event.commit();
  }
}
