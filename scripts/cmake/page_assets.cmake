# Style and script of explain's page are files that a person can read; the build makes them the texts of page_assets.h.
foreach(asset page.css loss.js view.js predict.js main.js)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS engine/teach/page/${asset})
  file(READ engine/teach/page/${asset} text)
  if(asset MATCHES "css$")
    set(page_style "${text}")
  else()
    string(APPEND page_script "${text}\n")
  endif()
endforeach()
set(page_assets ${PROJECT_BINARY_DIR}/page_assets.cpp)
file(CONFIGURE OUTPUT ${page_assets} @ONLY CONTENT [=[
#include "engine/teach/page_assets.h"
const std::string_view seqgrad::page_style = R"asset(@page_style@)asset", seqgrad::page_script = R"asset(@page_script@)asset";
]=])
